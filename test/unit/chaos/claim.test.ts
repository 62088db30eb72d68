import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { claimOf } from '../../../chaos/check.ts'
import type { Turn } from '../../../chaos/destinations.ts'
import type { TopicName } from '../../../chaos/topics.ts'

const basic = { type: 'Basic', id: 'b1', interaction: 'update', isActive: false } as const
const observation = { ...basic, type: 'Observation', id: 'o1' } as const
/** Versions up to 10 were committed, and number 100 had been given, at the first turn; 20 and 200 at the second. */
const turn = (place: 1 | 2, topic: TopicName | undefined): Turn => ({
  topic,
  committedBefore: new Map([
    ['Basic/b1', place * 10],
    ['Observation/o1', place * 10],
  ]),
  firstXidAfter: BigInt(place * 100),
})
const added = [turn(1, 'spare-mixed')]
const moved = [turn(1, 'spare-mixed'), turn(2, 'spare-observations')]
const deleted = [turn(1, 'spare-mixed'), turn(2, undefined)]

const cases = [
  { name: 'committed before the request', turns: added, version: [10, 50], claim: 'must not' },
  {
    name: 'begun before the request, committed later',
    turns: added,
    version: [11, 99],
    claim: 'may',
  },
  { name: 'begun after the answer', turns: added, version: [11, 100], claim: 'must' },
  { name: 'of a topic it does not have yet', turns: [], version: [1, 1], claim: 'must not' },
  {
    name: 'of the topic it leaves, committed before',
    turns: moved,
    version: [20, 150],
    claim: 'must',
  },
  { name: 'of the topic it leaves, meanwhile', turns: moved, version: [21, 199], claim: 'may' },
  { name: 'of the topic it left', turns: moved, version: [21, 200], claim: 'must not' },
  {
    name: 'begun before it came, committed after it moved',
    turns: moved,
    version: [21, 99],
    claim: 'may',
  },
  { name: 'before it was deleted', turns: deleted, version: [20, 150], claim: 'must' },
  { name: 'while it is deleted', turns: deleted, version: [21, 150], claim: 'may' },
  { name: 'after it was deleted', turns: deleted, version: [21, 200], claim: 'must not' },
] as const

describe('claimOf', () => {
  for (const { name, turns, version, claim } of cases) {
    const [versionId, xid] = version
    it(`a version ${name}: ${claim}`, () => {
      assert.equal(claimOf({ turns }, { ...basic, versionId, xid: BigInt(xid) }), claim)
    })
  }

  it('a version that both topics select must come, whichever it met', () => {
    assert.equal(claimOf({ turns: moved }, { ...observation, versionId: 21, xid: 150n }), 'must')
  })
})
