import type { SourceRecord } from './record.ts'
import type { RetryState } from './retry-headers.ts'

/** A record that was read and not begun. */
export interface QueuedRecord {
  readonly record: SourceRecord
  readonly state: RetryState
  /** Else it is only passed over. */
  readonly isMine: boolean
  /** Milliseconds since 1970; 0: at once. */
  readonly dueMs: number
  /** How long it has to wait in all, without jitter. */
  readonly delayMs: number
}

/** What to do with the first record of a queue. `postpone`: write it behind the others again. */
export type Next =
  { readonly do: 'begin' | 'postpone' } | { readonly do: 'wait'; readonly untilMs: number }

/** The committed offset of a partition is one number, so its records leave in their order. One that is not due stands in the way of those
 *  behind it, which is right for records with delays of the same length: they are due later, but for jitter. One that stands in the way
 *  of a shorter delay that is over is written behind. A record is moved so at most once for each time that the shortest delay fits into its own.
 *  @param queue in the order of offsets */
export function nextOf(queue: readonly QueuedRecord[], nowMs: number): Next {
  const [first] = queue
  if (!first) return { do: 'wait', untilMs: Infinity }
  if (first.dueMs <= nowMs) return { do: 'begin' }
  let untilMs = first.dueMs
  for (const { delayMs, dueMs } of queue) {
    if (delayMs < first.delayMs) untilMs = Math.min(untilMs, dueMs)
  }
  return untilMs <= nowMs ? { do: 'postpone' } : { do: 'wait', untilMs }
}
