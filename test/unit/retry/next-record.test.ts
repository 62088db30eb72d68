import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { nextOf, type QueuedRecord } from '../../../src/retry/next-record.ts'
import { stateOfNew } from '../../../src/retry/retry-headers.ts'
import type { SourceRecord } from '../../../src/retry/record.ts'

const nowMs = 1_000_000

/** @param dueInMs from now */
function queued(delayMs: number, dueInMs: number): QueuedRecord {
  const record: SourceRecord = {
    ...{ topic: 't', partition: 0, offset: 0, timestampMs: 0 },
    ...{ key: null, value: null, headers: [] },
  }
  return { record, state: stateOfNew(record), isMine: true, delayMs, dueMs: nowMs + dueInMs }
}

describe('nextOf', () => {
  const cases = [
    { name: 'nothing is there', queue: [], next: { do: 'wait', untilMs: Infinity } },
    { name: 'the first is due', queue: [queued(10, 0), queued(1, -5)], next: { do: 'begin' } },
    {
      name: 'one of the same delay is due before the first, by jitter',
      queue: [queued(10, 3), queued(10, -1)],
      next: { do: 'wait', untilMs: nowMs + 3 },
    },
    {
      name: 'one with a longer delay is due before the first',
      queue: [queued(10, 3), queued(20, -1)],
      next: { do: 'wait', untilMs: nowMs + 3 },
    },
    {
      name: 'one with a shorter delay is due',
      queue: [queued(100, 50), queued(100, 60), queued(10, 0)],
      next: { do: 'postpone' },
    },
    {
      name: 'one with a shorter delay will be due before the first',
      queue: [queued(100, 50), queued(10, 5), queued(10, 4)],
      next: { do: 'wait', untilMs: nowMs + 4 },
    },
  ]
  for (const { name, queue, next } of cases) {
    it(name, () => {
      assert.deepEqual(nextOf(queue, nowMs), next)
    })
  }
})
