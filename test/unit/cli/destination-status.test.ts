import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  needsAttention,
  troubleOf,
  type DestinationStatus,
} from '../../../src/cli/fhir/destination-status.ts'

const nowMs = Date.parse('2026-11-26T12:00:00Z')
const failed = (secondsAgo: number) => ({
  lastErrorDetail: [
    { message: 'newest', timestamp: new Date(nowMs - secondsAgo * 1000).toISOString() },
    { message: 'older', timestamp: '2026-11-26T10:00:00Z' },
  ],
})

describe('whether a destination needs somebody', () => {
  const cases: readonly (readonly [string, DestinationStatus, string | undefined])[] = [
    ['delivers', { status: 'active', messagesQueued: 3 }, undefined],
    ['cannot be used', { status: 'error', statusReason: 'no topic', ...failed(1) }, 'no topic'],
    ['is stuck', { status: 'active', messagesQueued: 1, ...failed(60) }, 'newest'],
    ['is stuck in a transaction', { messagesInProcess: 1, ...failed(60) }, 'newest'],
    ['was stuck', { status: 'active', messagesQueued: 0, ...failed(60) }, undefined],
    ['failed long ago', { status: 'active', messagesQueued: 1, ...failed(121) }, undefined],
    ['loses events', { status: 'active', messagesLost: 1, ...failed(299) }, 'newest'],
    ['has lost some', { status: 'active', messagesLost: 1, ...failed(301) }, undefined],
    ['has dead letters', { status: 'active', messagesDead: 1, ...failed(9999) }, 'newest'],
    ['is paused', { status: 'off', messagesQueued: 9, ...failed(1) }, undefined],
  ]
  for (const [what, status, trouble] of cases) {
    it(`one that ${what} ${trouble === undefined ? 'does not' : 'does'}`, () => {
      assert.equal(troubleOf(status, nowMs), trouble)
      assert.equal(needsAttention(status, nowMs), trouble !== undefined)
    })
  }

  it('dead letters and undecided events do, also of one that is paused', () => {
    assert.ok(needsAttention({ status: 'off', messagesDead: 1 }, nowMs))
    assert.ok(needsAttention({ status: 'active', messagesUndecided: 1 }, nowMs))
  })
})
