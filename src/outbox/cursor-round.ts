import type { OutboxEvent } from './event-page.ts'
import type { Snapshot } from './snapshot.ts'

/** Events in the order of their delivery; never empty. */
export interface Page {
  readonly events: readonly OutboxEvent[]
  /** Number of the first event; the others follow without a gap. A redelivery has the same numbers. */
  readonly firstEventNumber: number
  /** There may be more to read at once. */
  readonly more: boolean
}

/** Reading of the log under one snapshot. */
export interface Round {
  readonly snapshot: Snapshot
  /** Up to here the round is settled. */
  after: bigint
  /** How many events behind `after` may have been sent already, by this leader or the one before. */
  sent: number
  /** Pages handed out. */
  pages: number
}

/** A page that is read before the one in front of it is settled. */
export interface Ahead {
  readonly round: Round
  readonly after: bigint
  /** Undefined when nothing follows in the round, or it could not be read. */
  readonly page: Promise<Page | undefined>
}

/** The next `count` events of the round, up to `lastId`, are settled. */
export function moveOn(round: Round, lastId: bigint, count: number): void {
  round.after = lastId
  round.sent = Math.max(0, round.sent - count)
}
