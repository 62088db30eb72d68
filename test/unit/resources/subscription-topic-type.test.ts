import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { subscriptionTopicType } from '../../../src/resources/subscription-topic-type.ts'
import {
  codesAndExpressions,
  fixture,
  issuesOf,
  patched,
  type AcceptedCase,
  type RefusedCase,
} from './fixtures.ts'

const accepted = fixture<AcceptedCase>('accepted-topics.json')
const refused = fixture<RefusedCase>('refused-topics.json')
const type = subscriptionTopicType()

describe('AidboxSubscriptionTopic', () => {
  for (const { name, resource } of accepted) {
    it(`accepts: ${name}`, () => {
      assert.deepEqual(
        issuesOf(type, resource).filter(({ severity }) => severity === 'error'),
        [],
      )
    })
  }

  const [first] = accepted
  assert.ok(first)
  for (const { name, patch, issues } of refused) {
    it(`refuses: ${name}`, () => {
      const found = issuesOf(type, patched(first.resource, patch))
      assert.deepEqual(codesAndExpressions(found), issues)
      for (const { severity, details } of found) {
        assert.equal(severity, 'error')
        assert.match(details?.text ?? '', /^\S.*\.$/s, 'a sentence')
      }
    })
  }

  it('refuses a url too long for an index, and names at most 50 faults, errors first', () => {
    const url = `http://example.org/${'x'.repeat(2_000)}`
    const long = issuesOf(type, { ...first.resource, url })
    assert.deepEqual(codesAndExpressions(long), [
      { code: 'too-long', expression: ['AidboxSubscriptionTopic.url'] },
    ])
    const doubtful = Array.from({ length: 60 }, () => ({ resource: 'Unheard' }))
    const trigger = [...doubtful, { resource: 'Patient', fhirPathCriteria: 'gender =' }]
    const many = issuesOf(type, { ...first.resource, trigger })
    assert.equal(many.length, 50)
    assert.equal(many[0]?.severity, 'error')
  })

  it('refuses a criteria that does not parse', () => {
    const patch = [
      { op: 'replace', path: '/trigger/0/fhirPathCriteria', value: 'status = = 1' },
    ] as const
    const [issue] = issuesOf(type, patched(first.resource, patch))
    assert.equal(issue?.severity, 'error')
    assert.deepEqual(issue.expression, ['AidboxSubscriptionTopic.trigger[0].fhirPathCriteria'])
  })
})
