import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Ledgers, type Notification, type ViolationKind } from '../../../chaos/ledger.ts'

const notification = (eventNumber: number, versionId: number, more: object = {}): Notification => ({
  destination: 'everything',
  eventNumber,
  resource: 'Patient/p1',
  versionId,
  writeId: undefined,
  key: 'p1',
  stream: 'k',
  writtenAtMs: undefined,
  ...more,
})

interface Case {
  readonly name: string
  readonly read: readonly Notification[]
  readonly found: Partial<Record<ViolationKind, number>>
}

const cases: readonly Case[] = [
  { name: 'nothing wrong', read: [notification(1, 1), notification(2, 2)], found: {} },
  {
    name: 'an event twice',
    read: [notification(1, 1), notification(1, 1)],
    found: { doubled: 1 },
  },
  {
    name: 'an event twice under two numbers',
    read: [notification(1, 1), notification(2, 1)],
    found: { doubled: 1, gaps: 1 },
  },
  {
    name: 'two events with one number',
    read: [notification(1, 1), notification(1, 1, { resource: 'Patient/p2', key: 'p2' })],
    found: { gaps: 1 },
  },
  {
    name: 'versions that fall',
    read: [notification(1, 2), notification(2, 1)],
    found: { misordered: 1 },
  },
  {
    name: 'numbers that fall',
    read: [notification(2, 1), notification(1, 2)],
    found: { misordered: 1 },
  },
  {
    name: 'versions that fall in another Kafka topic',
    read: [notification(2, 2), notification(1, 1, { stream: 'l' })],
    found: {},
  },
  {
    name: 'the key of another resource',
    read: [notification(1, 1, { key: 'p2' })],
    found: { ghosts: 1 },
  },
]

describe('Ledgers', () => {
  for (const { name, read, found } of cases) {
    it(`${name}: ${JSON.stringify(found)}`, () => {
      const ledgers = new Ledgers()
      for (const each of read) ledgers.of(each.destination).add(each, 0)
      const counted = Object.entries(ledgers.violations.counts).filter(([, count]) => count > 0)
      assert.deepEqual(Object.fromEntries(counted), found)
    })
  }

  it('best effort that is reordered is counted apart', () => {
    const ledgers = new Ledgers()
    const ledger = ledgers.of('best-effort')
    ledger.add(notification(1, 2), 0)
    ledger.add(notification(2, 1), 0)
    assert.equal(ledger.reordered, 1)
    assert.equal(ledgers.violations.counts.misordered, 0)
  })

  it('a silence begins with the last notification or with the write that waits', () => {
    const ledgers = new Ledgers()
    const ledger = ledgers.of('everything')
    ledger.add(notification(1, 1, { writtenAtMs: 0 }), 1000)
    ledger.add(notification(2, 2, { writtenAtMs: 500 }), 1300)
    assert.equal(ledger.maxSilenceMs, 300)
    ledger.add(notification(3, 3, { writtenAtMs: 5000 }), 5400)
    assert.equal(ledger.maxSilenceMs, 400)
  })
})
