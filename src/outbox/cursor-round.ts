import type { EventPage, OutboxEvent } from './event-page.ts'
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

/** The page that is read before the one in front of it is settled. */
export class PageAhead {
  #ahead:
    | {
        readonly round: Round
        readonly after: bigint
        readonly page: Promise<Page | undefined>
      }
    | undefined

  /** Undefined when nothing follows in the round, it could not be read, or something else was read ahead. */
  async of(round: Round, after: bigint): Promise<Page | undefined> {
    const ahead = this.#ahead
    return ahead?.round === round && ahead.after === after ? ahead.page : undefined
  }

  begin(
    round: Round,
    after: bigint,
    firstEventNumber: number,
    read: () => Promise<EventPage>,
  ): Promise<Page | undefined> {
    if (this.#ahead?.round !== round || this.#ahead.after !== after) {
      const page = read().then(
        ({ events, isCut }) =>
          events.length === 0 ? undefined : { events, firstEventNumber, more: isCut },
        () => undefined,
      )
      this.#ahead = { round, after, page }
    }
    return this.#ahead.page
  }

  forget(): void {
    this.#ahead = undefined
  }
}

/** The next `count` events of the round, up to `lastId`, are settled. */
export function moveOn(round: Round, lastId: bigint, count: number): void {
  round.after = lastId
  round.sent = Math.max(0, round.sent - count)
}

export function idOfLast(events: readonly OutboxEvent[]): bigint {
  return BigInt(events.at(-1)?.id ?? 0)
}
