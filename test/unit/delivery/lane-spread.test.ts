import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { LaneSpread } from '../../../src/delivery/lane-spread.ts'

describe('LaneSpread', () => {
  it('gives up what is above the equal part, the end of the list first', () => {
    const spread = new LaneSpread()
    assert.deepEqual(spread.surplus([1, 2, 3, 4, 5], 5, 1), [])
    assert.deepEqual(spread.surplus([1, 2, 3, 4, 5], 5, 2), [4, 5])
    assert.deepEqual(spread.surplus([1, 2, 3], 5, 2), [])
    assert.deepEqual(spread.surplus([1, 2], 5, 9), [2])
    assert.deepEqual(spread.surplus([1, 2], 5, 0), [])
  })

  it('names what was left to the others for five seconds without a break', () => {
    const spread = new LaneSpread()
    assert.deepEqual(spread.overdue([1, 2], 0), [])
    assert.deepEqual(spread.overdue([1], 3000), [])
    assert.deepEqual(spread.overdue([1, 2], 4999), [])
    assert.deepEqual(spread.overdue([1, 2], 5000), [1])
    assert.deepEqual(spread.overdue([2], 9998), [])
    assert.deepEqual(spread.overdue([2], 9999), [2])
  })

  it('offers what it has adopted again when the number of nodes changes', () => {
    const spread = new LaneSpread()
    spread.surplus([], 3, 2)
    spread.adopt(2)
    spread.adopt(3)
    assert.deepEqual(spread.surplus([1, 2, 3], 3, 2), [])
    assert.deepEqual(spread.surplus([1, 2, 3], 3, 3), [2, 3])
  })

  it('keeps what it has adopted, beside its share', () => {
    const spread = new LaneSpread()
    spread.surplus([], 4, 2)
    spread.adopt(3)
    assert.equal(spread.shared(3), 2)
    assert.deepEqual(spread.surplus([1, 2, 3], 4, 2), [])
    assert.deepEqual(spread.surplus([1, 2, 3], 2, 2), [2])
    spread.forget(3)
    assert.deepEqual(spread.surplus([1, 2, 3], 4, 2), [3])
  })
})
