import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { outcomeOfError, statusOf } from '../../../src/rest/outcomes.ts'

describe('what a client is told of an error of PostgreSQL', () => {
  for (const [sqlState, status, issueCode] of [
    ['40001', 409, 'transient'],
    ['40P01', 409, 'transient'],
    ['40002', 409, 'conflict'],
    ['23505', 409, 'conflict'],
    ['22P05', 400, 'value'],
    ['57014', 503, 'transient'],
    ['57P01', 503, 'transient'],
    ['42P01', 500, 'exception'],
  ] as const) {
    it(`${sqlState}: ${status} ${issueCode}, and nothing of its message`, () => {
      const outcome = outcomeOfError(Object.assign(new Error('jane doe'), { code: sqlState }))
      const [issue] = outcome.issue
      assert.deepEqual([statusOf(outcome), issue?.code], [status, issueCode])
      assert.doesNotMatch(JSON.stringify(outcome), /jane/)
    })
  }
})
