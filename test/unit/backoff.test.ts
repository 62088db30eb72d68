import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { backoffMs } from '../../src/backoff.ts'

describe('backoffMs', () => {
  const cases = [
    { attempt: 1, least: 50, most: 100 },
    { attempt: 2, least: 100, most: 200 },
    { attempt: 9, least: 12_800, most: 25_600 },
    { attempt: 10, least: 15_000, most: 30_000 },
    { attempt: 5000, least: 15_000, most: 30_000 },
  ]
  for (const { attempt, least, most } of cases) {
    it(`waits ${least} to ${most} ms after failure ${attempt}`, () => {
      assert.equal(
        backoffMs(attempt, () => 0),
        least,
      )
      assert.equal(
        backoffMs(attempt, () => 0.999_999_9),
        most,
      )
    })
  }
})
