import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { LateIds } from '../../../src/outbox/late-ids.ts'
import { parseSnapshot } from '../../../src/outbox/snapshot.ts'

describe('parseSnapshot', () => {
  it('reads what PostgreSQL writes', () => {
    assert.deepEqual(parseSnapshot('10:20:10,14,15'), {
      text: '10:20:10,14,15',
      xmin: 10n,
      xmax: 20n,
      running: new Set([10n, 14n, 15n]),
    })
    assert.deepEqual(parseSnapshot('10:10:').running, new Set())
  })

  for (const text of ['', '10', ':', '10:']) {
    it(`refuses "${text}"`, () => {
      assert.throws(() => parseSnapshot(text), RangeError)
    })
  }
})

describe('LateIds', () => {
  it('knows nothing above low until an own update is dated', () => {
    const ids = new LateIds(5n)
    ids.endRound(parseSnapshot('100:100:'), 50n)
    assert.equal(ids.low, 5n)
    ids.noteUpdate(100n, 60n)
    // The update itself has not ended in this snapshot: others of its age may be running.
    ids.endRound(parseSnapshot('100:100:'), 50n)
    assert.equal(ids.low, 5n)
    ids.endRound(parseSnapshot('101:101:'), 50n)
    assert.equal(ids.low, 50n)
  })

  it('is held by a transaction that the snapshot lists', () => {
    const ids = new LateIds(0n)
    ids.noteUpdate(100n, 10n)
    ids.noteUpdate(102n, 20n)
    ids.endRound(parseSnapshot('101:103:101'), 30n)
    assert.equal(ids.low, 10n)
    ids.endRound(parseSnapshot('103:103:'), 30n)
    assert.equal(ids.low, 20n)
  })

  it('is held by a transaction that no snapshot lists, because nothing younger has ended', () => {
    const ids = new LateIds(0n)
    ids.noteUpdate(100n, 10n)
    ids.noteUpdate(105n, 20n)
    // xmax 101: transactions from 101 may run unseen.
    ids.endRound(parseSnapshot('101:101:'), 30n)
    assert.equal(ids.low, 10n)
  })

  it('parks a long transaction: rounds read on, low waits, one round goes back when it ends', () => {
    const ids = new LateIds(0n, 4)
    let xid = 100n
    const update = (lastId: bigint): void => {
      ids.noteUpdate(xid++, lastId)
    }
    update(7n)
    const long = xid++
    for (let lastId = 10n; lastId <= 20n; lastId++) {
      update(lastId)
      ids.endRound(parseSnapshot(`${long}:${xid}:${long}`), lastId)
    }
    assert.equal(ids.parkedCount, 1)
    assert.equal(ids.low, 7n)
    assert.equal(ids.startOfRound(parseSnapshot(`${long}:${xid}:${long}`)), 20n)
    const ended = parseSnapshot(`${xid}:${xid}:`)
    assert.equal(ids.startOfRound(ended), 7n)
    ids.endRound(ended, 20n)
    assert.deepEqual([ids.parkedCount, ids.low, ids.startOfRound(ended)], [0, 20n, 20n])
  })

  it('is told of any number of updates without keeping them', () => {
    const ids = new LateIds(0n, 4)
    for (let xid = 1n; xid <= 10_000n; xid++) {
      ids.noteUpdate(xid, xid)
      ids.endRound(parseSnapshot(`${xid + 1n}:${xid + 1n}:`), xid)
      assert.equal(ids.low, xid)
    }
  })
})
