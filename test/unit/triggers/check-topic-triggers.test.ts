import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { OperationOutcomeIssue } from '@medplum/fhirtypes'
import { checkTopicTriggers } from '../../../src/triggers/check-topic-triggers.ts'
import { readFixture } from './fixtures.ts'

interface Refused {
  resourceType: string
  criteria: string
  supportedInteraction?: string[]
  line?: number
  column?: number
  says: string
}

const documented = await readFixture<Refused[]>('criteria/documented.json')
const malformed = await readFixture<Refused[]>('criteria/malformed.json')
const doubtful = await readFixture<Refused[]>('criteria/doubtful.json')

function check(
  trigger: object,
  options?: Parameters<typeof checkTopicTriggers>[1],
): OperationOutcomeIssue[] {
  return checkTopicTriggers(
    { resourceType: 'AidboxSubscriptionTopic', trigger: [trigger] },
    options,
  )
}

function triggerOf({ resourceType, criteria, supportedInteraction }: Refused): object {
  return { resource: resourceType, fhirPathCriteria: criteria, supportedInteraction }
}

describe('checkTopicTriggers', () => {
  for (const { resourceType, criteria } of documented) {
    it(`accepts the documented criteria ${criteria}`, () => {
      assert.deepEqual(check({ resource: resourceType, fhirPathCriteria: criteria }), [])
    })
  }

  for (const refused of malformed) {
    it(`refuses ${refused.criteria}`, () => {
      const [issue] = check(triggerOf(refused)).filter(({ severity }) => severity === 'error')
      assert.ok(issue, 'no error')
      assert.deepEqual(issue.expression, ['AidboxSubscriptionTopic.trigger[0].fhirPathCriteria'])
      assert.ok(issue.details?.text?.includes(refused.says), issue.details?.text)
      const { line, column } = refused
      const where = line === undefined ? undefined : `line ${line}, column ${column ?? 0}`
      assert.equal(issue.diagnostics, where)
    })
  }

  for (const warned of doubtful) {
    it(`warns of ${warned.criteria} on ${warned.resourceType}`, () => {
      const issues = check(triggerOf(warned))
      assert.deepEqual(
        issues.map(({ severity }) => severity),
        ['warning'],
      )
      assert.ok(issues[0]?.details?.text?.includes(warned.says), issues[0]?.details?.text)
    })
  }

  it('names the trigger at fault', () => {
    const issues = checkTopicTriggers({
      resourceType: 'AidboxSubscriptionTopic',
      trigger: [{ resource: 'Patient' }, { resource: 'Patient', fhirPathCriteria: 'active =' }],
    })
    assert.deepEqual(
      issues.map(({ expression }) => expression),
      [['AidboxSubscriptionTopic.trigger[1].fhirPathCriteria']],
    )
  })

  for (const resource of [
    'Patient',
    'http://hl7.org/fhir/StructureDefinition/Patient',
    'Resource',
    'DomainResource',
  ]) {
    it(`accepts ${resource} as what a trigger watches`, () => {
      assert.deepEqual(check({ resource }), [])
    })
  }

  for (const resource of ['patient', '*', 'http://example.org/StructureDefinition/my-patient']) {
    it(`refuses ${resource} as what a trigger watches`, () => {
      const [issue] = check({ resource })
      assert.equal(issue?.severity, 'error')
      assert.deepEqual(issue.expression, ['AidboxSubscriptionTopic.trigger[0].resource'])
    })
  }

  it('bounds the criteria of a topic together', () => {
    const trigger = Array.from({ length: 20 }, (_, i) => ({
      resource: 'Patient',
      fhirPathCriteria: `gender = '${`${i}`.repeat(3_500 / `${i}`.length)}'`,
    }))
    const issues = checkTopicTriggers({ resourceType: 'AidboxSubscriptionTopic', trigger })
    assert.deepEqual(
      issues.map(({ severity, expression }) => [severity, expression]),
      [['error', ['AidboxSubscriptionTopic.trigger']]],
    )
    assert.deepEqual(
      checkTopicTriggers({
        resourceType: 'AidboxSubscriptionTopic',
        trigger: trigger.slice(0, 10),
      }),
      [],
    )
  })

  it('answers to the name of a type that is very long', () => {
    const [issue] = check({ resource: `P${'a'.repeat(1_000_000)}` })
    assert.equal(issue?.severity, 'warning')
    assert.ok((issue.details?.text?.length ?? 0) < 400)
  })

  it('refuses an empty criteria', () => {
    assert.equal(check({ resource: 'Patient', fhirPathCriteria: ' ' })[0]?.severity, 'error')
  })

  it('can let element names of its own pass with a warning', () => {
    const issues = check(
      { resource: 'Patient', fhirPathCriteria: "nickname = 'x'" },
      { criteriaElementCheck: 'warn' },
    )
    assert.deepEqual(
      issues.map(({ severity }) => severity),
      ['warning'],
    )
  })

  it('leaves what is no list of objects to the check of the structure', () => {
    for (const trigger of [undefined, 'x', [null, 7, 'x', { resource: 7, fhirPathCriteria: [] }]]) {
      assert.deepEqual(checkTopicTriggers({ resourceType: 'AidboxSubscriptionTopic', trigger }), [])
    }
  })
})
