import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { statusParameters } from '../../../src/status/status-parameters.ts'

const counted = {
  kind: 'kafka-at-least-once' as const,
  delivered: 12,
  failedAttempts: 3,
  inProcess: 2,
  queued: 7,
  dead: 1,
  undecided: 4,
  notKept: 6,
  notFired: 8,
  discarded: 9,
  exactlyOnce: false,
  exactlyOnceFault: 'no right',
  lost: 5,
  startedAt: new Date('2026-01-02T03:04:05.678Z'),
  lastErrors: [
    { message: 'second', timestamp: new Date('2026-01-02T04:00:00Z') },
    { message: 'first', timestamp: new Date('2026-01-02T03:30:00Z') },
  ],
}

describe('statusParameters', () => {
  it("answers Aidbox's parameters of at least once in its order, ours after them", () => {
    const { parameter } = statusParameters(counted, { status: 'active', reason: undefined })
    assert.deepEqual(parameter, [
      { name: 'messagesDelivered', valueDecimal: 12 },
      { name: 'messagesDeliveryAttempts', valueDecimal: 3 },
      { name: 'messagesInProcess', valueDecimal: 2 },
      { name: 'messagesQueued', valueDecimal: 7 },
      { name: 'startTimestamp', valueDateTime: '2026-01-02T03:04:05Z' },
      { name: 'status', valueString: 'active' },
      {
        name: 'lastErrorDetail',
        part: [
          { name: 'message', valueString: 'second' },
          { name: 'timestamp', valueDateTime: '2026-01-02T04:00:00Z' },
        ],
      },
      {
        name: 'lastErrorDetail',
        part: [
          { name: 'message', valueString: 'first' },
          { name: 'timestamp', valueDateTime: '2026-01-02T03:30:00Z' },
        ],
      },
      { name: 'messagesDead', valueDecimal: 1 },
      { name: 'messagesUndecided', valueDecimal: 4 },
      { name: 'messagesNotKept', valueDecimal: 6 },
      { name: 'messagesNotFired', valueDecimal: 8 },
      { name: 'messagesDiscarded', valueDecimal: 9 },
      { name: 'exactlyOnce', valueBoolean: false },
      { name: 'exactlyOnceFault', valueString: 'no right' },
    ])
  })

  it('answers messagesLost for best effort, and the reason of an error', () => {
    const { parameter } = statusParameters(
      { ...counted, kind: 'kafka-best-effort', lastErrors: [] },
      { status: 'error', reason: 'no topic' },
    )
    assert.deepEqual(
      parameter?.map(({ name }) => name),
      [
        'messagesDelivered',
        'messagesInProcess',
        'messagesLost',
        'startTimestamp',
        'status',
        'messagesUndecided',
        'statusReason',
      ],
    )
  })
})
