import {
  checkpointOf,
  CursorRow,
  eventsBehind,
  settle,
  SourcesChanged,
  type WrittenPosition,
} from './cursor-row.ts'
import { idOfLast, moveOn, PageAhead, type Page, type Round } from './cursor-round.ts'
import type { DeliveredRetention } from './delivered-pages.ts'
import { readEventPage, type EventPage, type OutboxEvent } from './event-page.ts'
import { JobPages } from './job-page.ts'
import { LateIds } from './late-ids.ts'
import type { OutboxSchema, Queryable } from './schema.ts'
import { currentSnapshot, parseSnapshot, type Snapshot } from './snapshot.ts'
import type { Source } from './sources.ts'
import { restingPlace, type RestingPlace } from './topics-with-events.ts'

export type { OutboxEvent } from './event-page.ts'
export type { Page } from './cursor-round.ts'
export { SourcesChanged } from './cursor-row.ts'

/** So many pages of a round are read ahead before it is closed: `low` stands still until then. */
const maxRoundPages = 8

/** Most events of a page. A new leader does not know how many the one before it had sent and not acknowledged; not more than this. */
const maxPageEvents = 100_000

/** Position of one destination in the event log, for the one node that leads it.
 *
 *  **What is settled.** An event is settled when `id <= pos` and `snap` contains its transaction, or when `id <= round_pos` and
 *  `round_snap` does. Remembering an id alone would lose events, because ids become visible out of order ({@link LateIds}
 *  walks through it); remembering a snapshot alone would deliver by transaction number, which is not the order of the
 *  changes of a resource. The two together deliver in id order and miss nothing.
 *
 *  **Rounds.** A round reads in id order what its snapshot contains and is not settled. The snapshot is written down before anything
 *  of the round is handed out, so that a new leader reads the very same events in the same order and gives them the same numbers.
 *  The acknowledgement that ends a round sets `snap` to the round's snapshot and opens the next one, in one UPDATE.
 *
 *  **Cut pages.** A page that was cut short while still below `pos` must not end its round: `snap` would then claim the late events
 *  between the cut and `pos` that the round had not come to. Above `pos` it may: what follows is found by its id. But not in
 *  the middle of what was sent before and never acknowledged (a leader with larger pages died): the next round sees
 *  events that committed meanwhile, and those would take the numbers.
 *
 *  **Fencing.** Every UPDATE names the epoch (one per leadership) and the token, and writes a new token. The token is random
 *  and names exactly this state of the row, also after the row was restored from a backup or created anew, so it can be written
 *  to Kafka beside the events and compared later. Zero rows updated: somebody else has changed the row, this cursor is dead.
 *
 *  **Other sources.** What is settled is said of the sources that the cursor has loaded. The destination may have got another one
 *  meanwhile, whose events a snapshot of now contains and this cursor has not read. So whatever writes `snap` or a round's
 *  snapshot does it only while the sources are the same; a page is acknowledged all the same, within its round.
 *
 *  After any error the cursor is spent, because the UPDATE may or may not have happened: load it again.
 *  Not for concurrent use: one call at a time, `readAhead` excepted. */
export class EventCursor {
  readonly #db: Queryable
  readonly #schema: OutboxSchema
  readonly #row: CursorRow
  /** Pages that are sent beside the log. */
  readonly jobPages: JobPages
  readonly #sources: readonly Source[]
  readonly #lateIds: LateIds
  #position: bigint
  #settled: Snapshot
  #lastEventNumber: number
  /** Text of the round's snapshot in the row. */
  #durableRound: string | null
  /** `low` in the row. */
  #durableLow: bigint
  #round: Round | undefined
  #page: Page | undefined
  readonly #ahead = new PageAhead()
  /** Events of the page that are settled already. */
  #settledCount = 0
  /** Other sources than those that were loaded are to be read. */
  #areSourcesOld: SourcesChanged | undefined

  private constructor(db: Queryable, schema: OutboxSchema, row: CursorRow) {
    const { sources, low, position, settled, roundSnapshot, roundPosition, eventNumber } =
      row.initial
    this.#db = db
    this.#schema = schema
    this.#row = row
    this.jobPages = new JobPages(row, schema, (count) => {
      this.#lastEventNumber += count
      // It was numbered before.
      this.#ahead.forget()
    })
    this.#sources = sources
    this.#durableLow = low
    this.#lateIds = new LateIds(low)
    this.#position = position
    this.#settled = parseSnapshot(settled)
    this.#lastEventNumber = eventNumber
    this.#durableRound = roundSnapshot
    if (roundSnapshot !== null) this.#resumeRound(roundSnapshot, roundPosition)
  }

  /** @param retention of what is delivered; absent: nothing is recorded of it
   *  @throws TopicDestinationError `KTD_FENCED` when the destination is gone or led under another epoch */
  static async load(
    db: Queryable,
    schema: OutboxSchema,
    destinationId: number,
    epoch: number,
    retention?: DeliveredRetention,
  ): Promise<EventCursor> {
    const row = await CursorRow.read(db, schema, destinationId, epoch, retention)
    return new EventCursor(db, schema, row)
  }

  /** Names the present state of the row: 2^31 to 2^32 - 1, another one after every change. */
  get token(): number {
    return this.#row.token
  }

  /** No leader of the destination has been connected to Kafka yet. */
  get isUntried(): boolean {
    return this.#row.initial.isUntried
  }

  /** Kafka topic on which the checkpoint stood when the cursor was loaded; undefined when there was none. */
  get checkpointTopic(): string | undefined {
    return this.#row.initial.checkpointTopic ?? undefined
  }

  /** Undefined while there is something to read, to settle or to write down. */
  get restingPlace(): RestingPlace | undefined {
    if (this.#round || this.#page || this.#areSourcesOld) return undefined
    if (this.#durableLow !== this.#position) return undefined
    return restingPlace(this.#sources, this.#position, this.#settled)
  }

  /** What a Kafka transaction with the next `eventCount` unsettled events is to carry. */
  checkpoint(eventCount: number): number {
    return checkpointOf(this.#row.token, eventCount)
  }

  /** Settles the events that Kafka has committed with this checkpoint, when it is about the present state of the row. Call it
   *  after loading, before anything is read.
   *  @returns how many were settled */
  async settleCheckpoint(checkpoint: number): Promise<number> {
    const count = eventsBehind(this.#row.token, checkpoint)
    const { open: jobPage } = this.jobPages
    if (count > 0 && jobPage) return this.jobPages.settle(jobPage)
    // Nothing is sent before its round is opened.
    if (count === 0 || !this.#round) return 0
    const page = await this.nextPage(count, Number.MAX_SAFE_INTEGER)
    // Events cannot go missing; if they do, twice is better than never.
    if (page?.events.length !== count) return 0
    await this.acknowledge(page)
    return count
  }

  /** The next unsettled events; undefined when there is none that was committed before this call. Until the page is
   *  acknowledged, the same events again.
   *
   *  `maxBytes` limits the sum of the bodies; a single larger event comes alone.
   *  @throws {@link SourcesChanged} load the cursor again */
  async nextPage(maxEvents: number, maxBytes: number): Promise<Page | undefined> {
    if (!(maxEvents >= 1)) throw new RangeError('maxEvents must be at least 1')
    if (this.#areSourcesOld) throw this.#areSourcesOld
    if (this.#page) return this.#restOfPage(this.#page, maxEvents)
    for (;;) {
      const isFresh = !this.#round
      const round = await this.#presentRound()
      const ahead = await this.#ahead.of(round, round.after)
      this.#ahead.forget()
      if (ahead) return this.#restOfPage(this.#hand(ahead), maxEvents)
      const { events, isCut } = await this.#read(round, round.after, maxEvents, maxBytes)
      if (events.length > 0) {
        if (this.#durableRound !== round.snapshot.text) await this.#openRound(round, events.length)
        return this.#hand({ events, firstEventNumber: this.#lastEventNumber + 1, more: isCut })
      }
      this.#endRound(round)
      // The round of the last acknowledgement does not contain what was committed since.
      if (isFresh) return undefined
    }
  }

  /** Whether there was nothing to settle before this call. Only reads: for one who has not asked Kafka yet what it has. */
  async isDrained(): Promise<boolean> {
    if (this.#page) return false
    for (;;) {
      const isFresh = !this.#round
      const round = await this.#presentRound()
      const { events } = await this.#read(round, round.after, 1, 1)
      if (events.length > 0) return false
      this.#endRound(round)
      if (isFresh) return true
    }
  }

  /** Begins to read what follows the page, under the same snapshot and while the page is on its way to Kafka. Once the page is settled
   *  `nextPage` hands out the same object, unless it is asked for fewer events; undefined when nothing follows, or the round has to be
   *  closed.
   *
   *  The one call that may overlap another. A round with a page ahead is not closed by the acknowledgement: the next one could hold
   *  late events that stand before that page. */
  async readAhead(page: Page, maxEvents: number, maxBytes: number): Promise<Page | undefined> {
    const round = this.#openedRound()
    const last = page.events.at(-1)
    if (!last || page !== this.#page || !page.more || round.pages >= maxRoundPages) return undefined
    const after = BigInt(last.id)
    const firstEventNumber = page.firstEventNumber + page.events.length
    return this.#ahead.begin(round, after, firstEventNumber, () =>
      this.#read(round, after, maxEvents, maxBytes),
    )
  }

  /** The next number, for events that do not stand in the log; undefined while Kafka may have seen it with an event of the log. */
  get freeEventNumber(): number | undefined {
    const isFree = !this.#page && (this.#round?.sent ?? 0) === 0
    return isFree ? this.#lastEventNumber + 1 : undefined
  }

  /** Settles the first `settledCount` unsettled events of the page. */
  async acknowledge(page: Page, settledCount?: number): Promise<void> {
    const unsettled = this.#unsettled(page)
    const count = settledCount ?? unsettled.length
    if (count === 0) return
    const last = unsettled[count - 1]
    if (!last || count < 0) throw new RangeError('settledCount exceeds the page')
    const lastId = BigInt(last.id)
    const round = this.#openedRound()
    const isWhole = count === unsettled.length
    const isEnd = isWhole && !page.more
    const ahead = isWhole ? await this.#ahead.of(round, lastId) : undefined
    const events = unsettled.slice(0, count)
    if (ahead) await this.#advanceRound(round, events, ahead.events.length)
    else if (isEnd || (lastId >= this.#position && round.sent <= count)) {
      await this.#closeRound(round, events)
    } else await this.#advanceRound(round, events, 0)
    this.#lastEventNumber += count
    this.#settledCount += count
    if (isWhole) this.#page = undefined
  }

  /** Sets one event aside for good. It keeps its number, so that consumers see a gap where an event is missing.
   *  `index` counts the unsettled events of the page and must be 0: acknowledge first what stands before it. */
  async deadLetter(page: Page, index: number, error: string): Promise<void> {
    const [event] = this.#unsettled(page)
    if (!event || index !== 0)
      throw new RangeError('only the first unsettled event can be set aside')
    await this.#row.deadLetter(event, error)
    moveOn(this.#openedRound(), BigInt(event.id), 1)
    this.#lastEventNumber++
    this.#settledCount++
    if (this.#unsettled(page).length === 0) this.#page = undefined
  }

  /** Keeps whether Kafka holds checkpoints, and why not; nothing of the cursor changes.
   *  @param kafkaTopic on which they stand from now on; to be kept before a Kafka transaction carries one */
  async recordCheckpoints(areKept: boolean, reason?: string, kafkaTopic?: string): Promise<void> {
    await this.#row.recordCheckpoints(areKept, reason, kafkaTopic)
  }

  /** Counts failed attempts and keeps the error; nothing of the cursor changes. */
  async recordFailure(failedCount: number, error: string): Promise<void> {
    await this.#row.recordFailure(failedCount, error)
  }

  /** Keeps that nothing is on its way to Kafka; nothing of the cursor changes. */
  async recordPause(): Promise<void> {
    await this.#row.recordPause()
  }

  /** Writes the position down when the queue is empty, so that the log behind it can be emptied. Costs nothing when it is
   *  already written; call it whenever there is nothing to do. */
  async rest(): Promise<void> {
    if (this.#round || this.#page) return
    // Nothing can rise above the position; and without an update that knows the ids up to it, `low` could never reach it.
    const { low, newestLastId } = this.#lateIds
    const needsDate = low < this.#position && (newestLastId ?? -1n) < this.#position
    if (low <= this.#durableLow && !needsDate) return
    await this.#writePosition('round_snap = null, round_pos = null, in_process = 0', [])
  }

  #unsettled(page: Page): readonly OutboxEvent[] {
    if (page !== this.#page) throw new RangeError('the page is settled already')
    return page.events.slice(this.#settledCount)
  }

  /** The unsettled rest of a page, from memory: the round is the same, so the events are. */
  #restOfPage(page: Page, maxEvents: number): Page {
    if (this.#settledCount === 0 && page.events.length <= maxEvents) return page
    const unsettled = page.events.slice(this.#settledCount)
    const events = unsettled.slice(0, maxEvents)
    const firstEventNumber = this.#lastEventNumber + 1
    return this.#hand({
      events,
      firstEventNumber,
      more: page.more || events.length < unsettled.length,
    })
  }

  async #read(
    round: Round,
    after: bigint,
    maxEvents: number,
    maxBytes: number,
  ): Promise<EventPage> {
    return readEventPage(this.#db, this.#schema, {
      sources: this.#sources,
      snapshot: round.snapshot,
      after,
      position: this.#position,
      settled: this.#settled,
      maxEvents: Math.min(maxEvents, maxPageEvents),
      maxBytes,
    })
  }

  #hand(page: Page): Page {
    const round = this.#openedRound()
    round.sent = Math.max(round.sent, page.events.length)
    round.pages++
    this.#settledCount = 0
    this.#page = page
    return page
  }

  async #presentRound(): Promise<Round> {
    return (this.#round ??= this.#beginRound(await currentSnapshot(this.#db)))
  }

  #beginRound(snapshot: Snapshot): Round {
    return { snapshot, after: this.#lateIds.startOfRound(snapshot), sent: 0, pages: 0 }
  }

  /** A leader before this one opened the round and may have settled a part of it. */
  #resumeRound(snapshotText: string, settledTo: bigint): void {
    const round = this.#beginRound(parseSnapshot(snapshotText))
    if (settledTo > round.after) round.after = settledTo
    round.sent = maxPageEvents
    this.#round = round
  }

  /** Everything of the round is settled. In memory only: the row says the same in other words until the next UPDATE. */
  #endRound(round: Round, lastId: bigint = round.after): void {
    if (lastId > this.#position) this.#position = lastId
    this.#lateIds.endRound(round.snapshot, this.#position)
    this.#settled = round.snapshot
    this.#round = undefined
  }

  #openedRound(): Round {
    if (!this.#round) throw new RangeError('no page has been read')
    return this.#round
  }

  async #openRound(round: Round, inProcess: number): Promise<void> {
    const values = [round.snapshot.text, inProcess]
    await this.#writePosition('round_snap = $8, round_pos = null, in_process = $9', values)
  }

  async #advanceRound(
    round: Round,
    delivered: readonly OutboxEvent[],
    inProcess: number,
  ): Promise<void> {
    const lastId = idOfLast(delivered)
    await this.#row.update({
      assignments: `round_pos = $5, ${settle('$6', '$7::int')}`,
      values: [String(lastId), delivered.length, inProcess],
      delivered,
    })
    moveOn(round, lastId, delivered.length)
  }

  async #closeRound(round: Round, delivered: readonly OutboxEvent[]): Promise<void> {
    this.#endRound(round, idOfLast(delivered))
    let next: string | null
    try {
      next = await this.#writePosition(
        `round_snap = pg_current_snapshot(), round_pos = null, ${settle('$8')}`,
        [delivered.length],
        delivered,
      )
    } catch (error) {
      if (!(error instanceof SourcesChanged)) throw error
      // The round stays open for the one who loads the cursor with its new sources.
      await this.#advanceRound(round, delivered, 0)
      this.#areSourcesOld = error
      return
    }
    if (next !== null) this.#round = this.#beginRound(parseSnapshot(next))
  }

  /** Writes the position as it is in memory and dates it for {@link LateIds}: the last drawn id is read (`head`, materialized) before
   *  the UPDATE takes its transaction number. A backlog count that the position has passed is void.
   *  `assignments` may use `$8` upwards. Returns the round's snapshot. */
  async #writePosition(
    assignments: string,
    values: readonly unknown[],
    delivered?: readonly OutboxEvent[],
  ): Promise<string | null> {
    const low = this.#lateIds.low
    const row = await this.#row.update<WrittenPosition>({
      assignments: `low = $5, pos = $6, snap = $7, count_snap = case when count_pos > $6 then count_snap end, ${assignments}`,
      values: [String(low), String(this.#position), this.#settled.text, ...values],
      head: `select ${this.#schema.lastEventId} as last_id`,
      returning: 'd.round_snap::text, head.last_id, pg_current_xact_id()::text as xid',
      ...(delivered && { delivered }),
      onlyAtSources: true,
    })
    this.#lateIds.noteUpdate(BigInt(row.xid), BigInt(row.last_id))
    this.#durableLow = low
    this.#durableRound = row.round_snap
    return row.round_snap
  }
}
