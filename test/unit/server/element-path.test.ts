import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { compileElementPaths } from '../../../src/server/search/element-path.ts'
import { loadR4Definitions } from '../../../src/server/storage/validation.ts'

before(loadR4Definitions)

describe('compileElementPaths', () => {
  const found = (expression: string) =>
    compileElementPaths('Observation', expression).map(({ steps, type }) => [
      steps.map(({ key }) => key).join('.'),
      type,
    ])

  for (const expression of [
    '(Observation.value as CodeableConcept).text',
    '(Observation.value.ofType(CodeableConcept)).text',
    'Observation.value.as(CodeableConcept).text',
    'Observation.value.ofType(CodeableConcept).text',
  ]) {
    it(`follows ${expression}`, () => {
      assert.deepEqual(found(expression), [['valueCodeableConcept.text', 'string']])
    })
  }

  it('follows every alternative that the type has', () => {
    const expression =
      '(Observation.value as string) | (Observation.effective.ofType(Period)) | Patient.name.text'
    assert.deepEqual(found(expression), [
      ['valueString', 'string'],
      ['effectivePeriod', 'Period'],
    ])
  })

  it('follows no other function', () => {
    assert.deepEqual(found('Observation.value.first().text'), [])
  })
})
