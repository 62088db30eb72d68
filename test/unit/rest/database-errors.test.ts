import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isDatabaseUnavailable } from '../../../src/rest/database-errors.ts'

describe('isDatabaseUnavailable', () => {
  for (const message of [
    'Connection terminated unexpectedly',
    'ROLLBACK - Connection terminated unexpectedly',
    'select 1; - Client has encountered a connection error and is not queryable',
  ]) {
    it(`knows an error without a code: ${message}`, () => {
      assert.ok(isDatabaseUnavailable(new Error(message)))
    })
  }

  it('does not take the message of an error with a code for that', () => {
    const error = Object.assign(new Error('select $1 - Connection terminated'), { code: '22P02' })
    assert.ok(!isDatabaseUnavailable(error))
    assert.ok(!isDatabaseUnavailable(new Error('The Connection terminated')))
  })
})
