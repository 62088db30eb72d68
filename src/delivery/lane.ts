import { isDeepStrictEqual } from 'node:util'
import { isFenced, isTopicDestinationError } from '../errors.ts'
import type { PageProducer } from '../kafka/producer.ts'
import { isKafkaError } from '../kafka/kafka-error.ts'
import { EventCursor, SourcesChanged, type Page } from '../outbox/event-cursor.ts'
import type { Job } from '../outbox/jobs.ts'
import type { RestingPlace } from '../outbox/topics-with-events.ts'
import type { TopicDestination } from '../resources/topic-destination.ts'
import type { LaneView } from '../observability/module-metrics.ts'
import { backoffMs } from '../backoff.ts'
import { Signal } from '../signal.ts'
import { Checkpoint, isRefusal } from './checkpoint.ts'
import { LaneJobs } from './lane-jobs.ts'
import type { LaneParts } from './lane-parts.ts'
import { LaneProducer } from './lane-producer.ts'
import { LaneRecord } from './lane-record.ts'
import { PageAttempts } from './page-attempts.ts'
import { PagePace } from './page-pace.ts'
import { PageRecords } from './page-records.ts'
import { PoisonEvents } from './poison-events.ts'

/** After this time without events the cursor is written down, so that slots of the outbox can be emptied. */
const restAfterMs = 1000

/** Delivers one destination's events in order, for as long as this node leads it.
 *
 *  States, in the order they are passed: *resting* (nothing to send, and after a while no connection), *opening* (a new producer fences the
 *  old one, then the cursor is read), *sending* (page, Kafka transaction, acknowledgement). A failure leads back to *sending* after back-off when the
 *  producer survived it, to *opening* when it did not; after an error of the database the cursor is read again. A fenced epoch
 *  ends the lane; so does `stop`, which the supervisor calls when leadership is lost.
 *
 *  The transaction of the next page may be open while a page is acknowledged; it is committed only after that.
 *  The page is acknowledged only after its Kafka transaction is committed. After a crash between the two the next leader finds the page's
 *  checkpoint in Kafka and acknowledges it ({@link Checkpoint}); without checkpoints it sends the page again, under the same event numbers. */
export class Lane {
  readonly #parts: LaneParts
  readonly #work = new Signal()
  readonly #control = new Signal()
  readonly #records: PageRecords
  readonly #checkpoint: Checkpoint
  readonly #poison: PoisonEvents
  readonly #pace: PagePace
  readonly #attempts: PageAttempts
  readonly #record: LaneRecord
  readonly #jobs: LaneJobs
  #destination: TopicDestination
  #sourceVersion: number
  /** The cursor must be loaded again: the destination reads something else now. */
  #isCursorOld = false
  /** The connection is new: it is opened without an event, so that $status tells what is wrong with it. */
  #isUntried = false
  readonly #producer: LaneProducer
  #cursor: EventCursor | undefined
  #isStopping = false
  /** It is written down that nothing is on its way because the destination is off. */
  #isPaused = false
  #isSending = false
  /** Sent while the page before it is acknowledged; its transaction is committed after that. */
  #following: { readonly page: Page; readonly settling: Promise<void> } | undefined
  #failures = 0
  #restingPlace: RestingPlace | undefined

  constructor(parts: LaneParts) {
    this.#parts = parts
    this.#destination = parts.destination
    this.#sourceVersion = parts.sourceVersion
    this.#record = new LaneRecord(parts, async () => this.#cursor ?? this.#load(), this.#end)
    this.#producer = new LaneProducer(parts, (cause) => {
      this.#record.connectionCause(cause)
    })
    this.#attempts = new PageAttempts(parts, this.#record)
    this.#jobs = new LaneJobs(parts, this.#work)
    this.#poison = new PoisonEvents(parts)
    this.#records = new PageRecords(parts)
    this.#pace = new PagePace(parts.pageLingerMs)
    this.#checkpoint = new Checkpoint(parts, this.#record)
  }

  /** Where it waits to be woken; undefined while it looks itself. */
  get restingPlace(): RestingPlace | undefined {
    return this.#restingPlace
  }

  /** How it goes. What failed before it came to rest does not count any more. */
  get view(): Omit<LaneView, 'destinationId'> {
    const failures = this.#restingPlace ? 0 : this.#failures
    const busy = failures > 0 ? 'failing' : this.#restingPlace ? 'resting' : 'active'
    const state = this.#destination.status === 'off' ? 'off' : busy
    return { state, failures, isConnected: this.#producer.isOpen }
  }

  /** There may be something to send. */
  wake(): void {
    this.#work.raise()
  }

  /** Takes what an operator wants done, beside the events of the log. */
  putJobs(jobs: readonly Job[]): void {
    this.#jobs.put(jobs)
  }

  /** Takes a changed destination between two pages; a changed connection gets a new producer. The same destination again does nothing:
   *  it must not cut a back-off short. */
  update(destination: TopicDestination, sourceVersion: number): void {
    if (sourceVersion !== this.#sourceVersion) {
      this.#sourceVersion = sourceVersion
      this.#isCursorOld = true
      this.#work.raise()
    }
    const before = this.#destination
    if (destination === before || isDeepStrictEqual(destination, before)) return
    this.#destination = destination
    const isConnected = isDeepStrictEqual(destination.parameters, before.parameters)
    if (!isConnected) this.#isUntried = true
    if (!isConnected || destination.status === 'off') this.#recall()
    this.#interrupt()
  }

  /** Ends the lane after the page under way, which has `stopTimeoutMs`. `run` resolves then. */
  stop(): void {
    this.#isStopping = true
    this.#recall()
    this.#interrupt()
  }

  #recall(): void {
    this.#poison.forget()
    this.#producer.recall(this.#isSending ? this.#parts.stopTimeoutMs : 0)
  }

  #interrupt(): void {
    this.#work.raise()
    this.#control.raise()
  }

  /** Resolves when the lane has ended, by `stop` or because this node no longer leads. Never rejects. */
  async run(): Promise<void> {
    while (!this.#isStopping) {
      try {
        await this.#step()
      } catch (error) {
        await this.#afterError(error)
      }
    }
    await this.#closeProducer()
  }

  async #step(): Promise<void> {
    if (this.#producer.isRecalled()) await this.#closeProducer()
    if (this.#isStopping) return
    this.#producer.forgetRecall()
    if (this.#destination.status === 'off') return this.#pause()
    this.#isPaused = false
    if (this.#isCursorOld) await this.#dropCursor()
    if (!this.#producer.current && (await this.#needsNoProducer())) return
    const producer = this.#producer.current ?? (await this.#open())
    if (!producer) return
    const cursor = (this.#cursor ??= await this.#loadSettled(producer))
    await this.#checkpoint.retry(producer)
    await this.#pace.rest(this.#control)
    if (this.#producer.isRecalled()) return
    if (!this.#following && this.#jobs.areThere) await this.#sendJobPage(producer, cursor)
    const page = this.#following?.page ?? (await this.#nextPage(cursor))
    if (this.#producer.isRecalled()) return
    if (page) await this.#send(producer, cursor, page)
    else await this.#rest(cursor)
  }

  /** What a recalled call was about waits again. */
  async #pause(): Promise<void> {
    if (!this.#isPaused) {
      const cursor = this.#cursor ?? (await this.#load())
      await cursor.recordPause()
      this.#isPaused = true
    }
    await this.#work.wait(this.#parts.pollIntervalMs)
  }

  /** Rests without a connection. The cursor must not be used for more: Kafka has not been asked yet what it has. That it can be loaded
   *  says that this node still leads; else it would fence the producer of the next leader. */
  async #needsNoProducer(): Promise<boolean> {
    const cursor = (this.#cursor ??= await this.#load())
    if (this.#isUntried || cursor.isUntried) return false
    // What Kafka has of a page must be asked before the row changes.
    if (this.#jobs.areThere || cursor.jobPages.open) return false
    if (!(await cursor.isDrained())) return false
    await this.#rest(cursor)
    return true
  }

  async #nextPage(cursor: EventCursor): Promise<Page | undefined> {
    return cursor.nextPage(this.#parts.maxPageEvents, this.#parts.maxPageBytes)
  }

  /** Order matters: this node's epoch is written already, so older acknowledgements are dead; initTransactions makes older Kafka
   *  commits dead or complete; only then is the cursor read. A row read before that could be older than what Kafka has.
   *  @returns undefined when it was recalled meanwhile: there was no call to end then, and this one would not end before its time */
  async #open(): Promise<PageProducer | undefined> {
    await this.#dropCursor()
    if (this.#producer.isRecalled()) return undefined
    const destination = this.#destination
    const producer = await this.#producer.open(destination)
    if (destination === this.#destination) this.#isUntried = false
    return producer
  }

  async #load(): Promise<EventCursor> {
    const { db, schema, destinationId, epoch, keptDelivered } = this.#parts
    return EventCursor.load(db, schema, destinationId, epoch, keptDelivered)
  }

  /** What Kafka has and the row does not know of must not be sent again. */
  async #loadSettled(producer: PageProducer): Promise<EventCursor> {
    const cursor = await this.#load()
    await this.#checkpoint.settle(producer, cursor)
    await cursor.jobPages.drop()
    return cursor
  }

  /** What an operator has asked for, where it is its turn. There is no page of the log under way. */
  async #sendJobPage(producer: PageProducer, cursor: EventCursor): Promise<void> {
    const destination = this.#destination
    this.#jobs.prepare(destination)
    this.#producer.noteUse()
    this.#isSending = true
    try {
      if (await this.#jobs.send({ producer, cursor, destination, checkpoint: this.#checkpoint }))
        this.#failures = 0
    } catch (error) {
      this.#isCursorOld = true
      if (!isKafkaError(error) || error.kind !== 'poison') throw error
      // Known from now on; events of the log must not wait for it.
      await cursor.recordFailure(1, error.message)
    } finally {
      this.#isSending = false
    }
  }

  async #send(producer: PageProducer, cursor: EventCursor, page: Page): Promise<void> {
    const settle = this.#settleFormer(cursor, page)
    if (this.#poison.areNamed) await settle()
    const events = this.#poison.sendable(page)
    if (events.length === 0) {
      await this.#poison.setAside(cursor, page)
      return
    }
    const records = this.#records.of(page, this.#destination).slice(0, events.length)
    this.#pace.begin()
    this.#producer.noteUse()
    this.#isSending = true
    let following: Promise<Page | undefined> | undefined
    const attempt = this.#attempts.begin(this.#destination, page, events)
    try {
      await producer.sendPage(records, async () => {
        await settle()
        // What fails in there fails again in its turn.
        following = this.#prepareNext(cursor, page).catch(() => undefined)
        return this.#checkpoint.of(cursor, events.length)
      })
      await settle()
      attempt.sent()
    } catch (error) {
      await settle()
      // Before anything is sent again Kafka is asked what it has.
      this.#isCursorOld = true
      if (isKafkaError(error) && !isRefusal(error) && !this.#producer.isRecalled())
        attempt.failed(error)
      if (!isKafkaError(error) || error.kind !== 'poison') throw error
      this.#poison.learn(error, events)
      await cursor.recordFailure(1, error.message)
      return
    } finally {
      this.#isSending = false
    }
    this.#pace.end(!page.more && events.length === page.events.length)
    // The acknowledgement takes the snapshot that the next page is read under: taken now, that page would be a linger old.
    if (!page.more) await this.#pace.rest(this.#control)
    const settling = cursor.acknowledge(page, events.length)
    // It is waited for in the end; until then nobody may be there to hear of a failure.
    settling.catch(() => undefined)
    const next = events.length === page.events.length ? await following : undefined
    this.#poison.widen()
    if (next) {
      this.#following = { page: next, settling }
      return
    }
    await settling
    this.#failures = 0
  }

  /** Reads the next page and makes its records while Kafka commits this one. */
  async #prepareNext(cursor: EventCursor, page: Page): Promise<Page | undefined> {
    const { maxPageEvents, maxPageBytes } = this.#parts
    const next = await cursor.readAhead(page, maxPageEvents, maxPageBytes)
    if (next && !this.#producer.isRecalled()) this.#records.of(next, this.#destination)
    return next
  }

  /** Waits until everything in front of the page is acknowledged, and has the cursor hand it out. Can be called again. */
  #settleFormer(cursor: EventCursor, page: Page): () => Promise<void> {
    const following = this.#following
    let settled: Promise<void> | undefined
    const settle = async (): Promise<void> => {
      if (following?.page !== page) return
      await following.settling
      // Not before: an acknowledgement that fails again and again must back off, or its page floods Kafka.
      this.#failures = 0
      this.#following = undefined
      if ((await this.#nextPage(cursor)) !== page) throw new Error('the page is not the next one')
    }
    return async () => (settled ??= settle())
  }

  /** An acknowledgement under way would change the row behind the back of the next cursor: it is waited for. */
  async #dropCursor(): Promise<void> {
    const following = this.#following
    this.#following = undefined
    await following?.settling.catch(() => undefined)
    this.#cursor = undefined
    this.#isCursorOld = false
    this.#jobs.forget()
  }

  async #afterError(error: unknown): Promise<void> {
    if (isFenced(error)) return this.#end(error)
    if (error instanceof SourcesChanged) return this.#dropCursor()
    if (isRefusal(error)) {
      await this.#checkpoint.giveUp(error)
      return
    }
    // A recalled producer gives its call up; the destination is not at fault.
    if (this.#producer.isRecalled()) return
    this.#failures++
    this.#record.attemptFailed(error, this.#failures)
    // What is not Kafka's may have come from a statement of the cursor, which is spent then.
    if (!isKafkaError(error)) await this.#dropCursor()
    else if (error.kind === 'fatal' || error.kind === 'fenced') await this.#closeProducer()
    // Other errors stay in the log: their words are not ours and may quote a row.
    if (isTopicDestinationError(error)) await this.#record.failure(1, error.message)
    // Not on #work: new events must not cut the back-off short.
    await this.#control.wait(backoffMs(this.#failures))
  }

  /** Another node leads: this one has nothing to say any more. */
  readonly #end = (error: unknown): void => {
    this.#isStopping = true
    this.#interrupt()
    this.#record.ends(error)
  }

  async #rest(cursor: EventCursor): Promise<void> {
    this.#records.forget()
    if (this.#pace.idleMs > restAfterMs) await cursor.rest()
    const { current: producer, keptForMs } = this.#producer
    if (producer && keptForMs <= 0) {
      await this.#closeProducer()
      return
    }
    this.#restingPlace = cursor.restingPlace
    const keptMs = Math.min(keptForMs, this.#checkpoint.retryInMs)
    const longestMs = this.#restingPlace ? keptMs : this.#parts.pollIntervalMs
    if (this.#restingPlace && !producer) await this.#work.wait()
    else await this.#work.wait(Math.min(longestMs, this.#jobs.dueInMs))
    this.#restingPlace = undefined
  }

  async #closeProducer(): Promise<void> {
    await this.#dropCursor()
    await this.#producer.close()
  }
}
