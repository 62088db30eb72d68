import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PageLimit } from '../../../src/delivery/page-limit.ts'

describe('PageLimit', () => {
  it('halves the refused page down to a single event, then grows back to the maximum', () => {
    const limit = new PageLimit(1000)
    const seen: number[] = []
    for (let refused = 7; seen.at(-1) !== 1; refused = limit.current) {
      limit.narrow(refused)
      seen.push(limit.current)
    }
    assert.deepEqual(seen, [3, 1])
    for (let success = 0; success < 20; success++) limit.widen()
    assert.equal(limit.current, 1000)
  })
})
