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

  it('refuses a criteria that does not parse', () => {
    const patch = [
      { op: 'replace', path: '/trigger/0/fhirPathCriteria', value: 'status = = 1' },
    ] as const
    const [issue] = issuesOf(type, patched(first.resource, patch))
    assert.equal(issue?.severity, 'error')
    assert.deepEqual(issue.expression, ['AidboxSubscriptionTopic.trigger[0].fhirPathCriteria'])
  })
})
