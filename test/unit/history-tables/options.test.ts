import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { capturePlan, resolveOptions } from '../../../src/history-tables/options.ts'

const required = { database: 'postgres://localhost', baseUrl: 'https://fhir.example.org/fhir' }

describe('resolveOptions', () => {
  const cases = [
    {
      options: { maxPageChanges: 0 },
      message: /^maxPageChanges must be .* from 1 to 100000, not 0/,
    },
    { options: { pollIntervalMs: 9.5 }, message: /^pollIntervalMs must be .* from 10 to 60000/ },
    { options: { captureSchema: 'topic_destination' }, message: /^captureSchema must not be/ },
    { options: { schema: 'a', captureSchema: 'a' }, message: /^captureSchema must not be/ },
    { options: { tables: { currentTable: 'resource' } }, message: /resourceType is required/ },
  ]
  for (const { options, message } of cases) {
    it(`refuses ${JSON.stringify(options)}`, () => {
      assert.throws(() => resolveOptions({ ...required, ...options }), {
        code: 'KTD_INVALID_OPTION',
        message,
      })
    })
  }

  it('captures the types of R4 by default, and never the module’s own', () => {
    const { resourceTypes, layout } = capturePlan({})
    assert.ok(resourceTypes.includes('Patient') && resourceTypes.includes('Binary'))
    assert.ok(!resourceTypes.includes('User'))
    assert.equal(layout.history.sql('Patient'), '"public"."Patient_History"')
    assert.equal(layout.current.sql('Patient'), '"public"."Patient"')
    assert.deepEqual(
      capturePlan({ resourceTypes: ['Patient', 'AidboxTopicDestination'] }).resourceTypes,
      ['Patient'],
    )
  })
})

describe('the name of a table', () => {
  const cases = [
    { pattern: '{type}_History', name: 'Patient_History', type: 'Patient' },
    { pattern: '{type}_History', name: 'Patient', type: undefined },
    { pattern: '{type}_History', name: '_History', type: undefined },
    { pattern: 'history_{type}', name: 'history_Patient', type: 'Patient' },
    { pattern: 'v_{type}_v', name: 'v_v', type: undefined },
  ]
  for (const { pattern, name, type } of cases) {
    it(`${name} is ${type ?? 'none'} of ${pattern}`, () => {
      const { layout } = capturePlan({ tables: { historyTable: pattern } })
      assert.equal(layout.history.typeOf(name), type)
    })
  }
})
