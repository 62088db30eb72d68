import type { SqlTx } from '../host/types.ts'
import type { Logger } from '../observability/logger.ts'
import { OnceAMinute } from '../observability/once-a-minute.ts'
import { parkUndecidedEvents } from '../outbox/enqueue.ts'
import type { OutboxSchema, Queryable } from '../outbox/schema.ts'
import { countNotKept, countUndecided } from '../outbox/undecided-counts.ts'
import type { AddressedUndecided } from './address-events.ts'

export interface UndecidedParkingParts {
  /** The module's own connections. Serializable transactions of the host that counted would lose races to each other, and writes would fail. */
  readonly db: Queryable
  readonly schema: OutboxSchema
  /** Most undecided events that are kept for one queue of a topic. */
  readonly maxUndecidedPerTopic: number
  readonly logger: Logger
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number
}

/** What was counted last in one queue. */
interface QueueCount {
  readonly topicUrl: string
  readonly countedAtMs: number
  readonly isFull: boolean
  /** How many more this node keeps before it counts again. */
  room: number
}

const countedForMs = 1000

/** Keeps events whose criteria could not be decided, up to a limit for each queue; the rest is counted only.
 *
 *  **No shared counter.** One row with the number of kept events would make all writes of a topic wait for each other. A node counts the rows itself
 *  when it has to keep one, at most once a second or when the room it found is used up. It turns an event away only when it has counted a full
 *  queue within the last second. So there may be more than the limit: by what other nodes, and transactions that are not committed, keep at the same
 *  time. What is turned away is appended row by row in the write's transaction, exactly.
 *
 *  Closed is the usual state, open the one in which nothing is kept, as of a fuse. */
export class UndecidedParking {
  readonly #parts: UndecidedParkingParts
  readonly #now: () => number
  readonly #counts = new Map<number, QueueCount>()
  readonly #counting = new Map<number, Promise<QueueCount>>()
  /** Full queues, since when. */
  readonly #open = new Map<number, Date>()
  readonly #undecidedLines: OnceAMinute
  readonly #notKeptLines: OnceAMinute

  constructor(parts: UndecidedParkingParts) {
    this.#parts = parts
    this.#now = parts.now ?? (() => performance.now())
    this.#undecidedLines = new OnceAMinute(this.#now)
    this.#notKeptLines = new OnceAMinute(this.#now)
  }

  /** Writes the events, or counts them, in the transaction of the write. */
  async park(tx: SqlTx, events: readonly AddressedUndecided[]): Promise<void> {
    const { schema } = this.#parts
    const queues = new Map<number, AddressedUndecided[]>()
    for (const event of events) {
      this.#tell(event)
      const queue = queues.get(event.topicId)
      if (queue) queue.push(event)
      else queues.set(event.topicId, [event])
    }
    const kept: AddressedUndecided[] = []
    const notKept = new Map<number, number>()
    for (const [topicId, queue] of queues) {
      const room = await this.#takeRoom(topicId, queue)
      kept.push(...queue.slice(0, room))
      if (room < queue.length) notKept.set(topicId, queue.length - room)
    }
    if (kept.length > 0) await parkUndecidedEvents(tx, schema, kept)
    if (notKept.size === 0) return
    await countNotKept(tx, schema, notKept)
    for (const [topicId, count] of notKept) this.#tellNotKept(topicId, count)
  }

  /** Counts full queues again: somebody may have made room. */
  async lookForRoom(): Promise<void> {
    for (const topicId of [...this.#open.keys()]) {
      const topicUrl = this.#counts.get(topicId)?.topicUrl ?? ''
      await this.#count(topicId, topicUrl)
    }
  }

  /** @returns how many of the events are to be kept */
  async #takeRoom(topicId: number, events: readonly AddressedUndecided[]): Promise<number> {
    let known = this.#counts.get(topicId)
    const isOld = !known || this.#now() - known.countedAtMs > countedForMs
    if (!known || isOld || (known.room < events.length && !known.isFull)) {
      try {
        known = await this.#count(topicId, events[0]?.topicUrl ?? '')
      } catch (error) {
        // The write must not fail by it, nor its event be lost.
        this.#parts.logger.warn({ err: error }, 'cannot count undecided events; keeping them')
        return events.length
      }
    }
    const taken = Math.min(known.room, events.length)
    known.room -= taken
    return taken
  }

  /** Writes that come at the same time share a count. */
  async #count(topicId: number, topicUrl: string): Promise<QueueCount> {
    const underWay = this.#counting.get(topicId)
    if (underWay) return underWay
    const counting = this.#countRows(topicId, topicUrl).finally(() => {
      this.#counting.delete(topicId)
    })
    this.#counting.set(topicId, counting)
    return counting
  }

  async #countRows(topicId: number, topicUrl: string): Promise<QueueCount> {
    const { db, schema, maxUndecidedPerTopic } = this.#parts
    const countedAtMs = this.#now()
    const count = await countUndecided(db, schema, topicId, maxUndecidedPerTopic)
    const room = maxUndecidedPerTopic - count
    const counted: QueueCount = { topicUrl, countedAtMs, isFull: room === 0, room }
    this.#counts.set(topicId, counted)
    this.#switch(topicId, counted)
    return counted
  }

  #switch(topicId: number, { topicUrl, isFull }: QueueCount): void {
    const { logger, maxUndecidedPerTopic } = this.#parts
    const openSince = this.#open.get(topicId)
    if (isFull && !openSince) {
      const now = new Date()
      this.#open.set(topicId, now)
      logger.error(
        { topic: topicUrl, maxUndecidedPerTopic, openSince: now },
        'too many events of a topic are undecided; from now on they are only counted',
      )
    } else if (!isFull && openSince) {
      this.#open.delete(topicId)
      logger.info(
        { topic: topicUrl, openSince, closedAt: new Date() },
        'undecided events of a topic are kept again',
      )
    }
  }

  #tell({ topicUrl, error }: AddressedUndecided): void {
    const count = this.#undecidedLines.pass(topicUrl)
    if (count === undefined) return
    this.#parts.logger.warn(
      { topic: topicUrl, count, cause: error },
      'the criteria of a topic could not be decided; its events are kept undecided',
    )
  }

  #tellNotKept(topicId: number, count: number): void {
    const topicUrl = this.#counts.get(topicId)?.topicUrl ?? ''
    const sum = this.#notKeptLines.pass(`${topicId}`, count)
    if (sum === undefined) return
    this.#parts.logger.warn(
      { topic: topicUrl, count: sum, openSince: this.#open.get(topicId) },
      'undecided events of a topic are not kept, because there are too many',
    )
  }
}
