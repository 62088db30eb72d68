import { isTopicDestinationError } from '../errors.ts'
import type { SqlTx } from '../host/types.ts'
import type { KafkaError, TransactionalProducer } from '../kafka/producer.ts'
import { isKafkaError } from '../kafka/kafka-error.ts'
import { kafkaRecord } from '../notifications/kafka-record.ts'
import type { Logger } from '../observability/logger.ts'
import { EventCursor, type OutboxEvent, type Page } from '../outbox/event-cursor.ts'
import type { OutboxSchema } from '../outbox/schema.ts'
import type { TopicDestination } from '../resources/topic-destination.ts'
import { backoffMs } from './backoff.ts'
import { PageLimit } from './page-limit.ts'
import { Signal } from './signal.ts'

export interface LaneParts {
  readonly db: SqlTx
  readonly schema: OutboxSchema
  readonly destinationId: number
  readonly epoch: number
  readonly destination: TopicDestination
  /** A new producer of this lane's transactional.id, not yet started. `onError` gets causes that are seen outside a call. */
  readonly createProducer: (
    destination: TopicDestination,
    onError: (cause: string) => void,
  ) => TransactionalProducer
  readonly baseUrl: string
  readonly cloudEventsHeaders: boolean
  readonly maxPageEvents: number
  readonly maxPageBytes: number
  readonly pageLingerMs: number
  readonly pollIntervalMs: number
  readonly stopTimeoutMs: number
  readonly logger: Logger
}

/** After this time without events the cursor is written down, so that slots of the outbox can be emptied. */
const restAfterMs = 1000

/** Delivers one destination's events in order, for as long as this node leads it.
 *
 *  States, in the order they are passed: *opening* (a new producer fences the old one, then the cursor is read), *sending* (page,
 *  Kafka transaction, acknowledgement), *resting* (nothing to send). A failure leads back to *sending* after back-off when the
 *  producer survived it, to *opening* when it did not; a fenced epoch or a lost database session ends the lane.
 *
 *  The page is acknowledged only after its Kafka transaction is committed. A crash between the two sends the page again with the
 *  same event numbers: twice, never zero times. */
export class Lane {
  readonly #parts: LaneParts
  readonly #work = new Signal()
  readonly #control = new Signal()
  readonly #limit: PageLimit
  readonly #poison = new Map<string, string>()
  #destination: TopicDestination
  #producer: TransactionalProducer | undefined
  #cursor: EventCursor | undefined
  #isStopping = false
  #isReopening = false
  #failures = 0
  #lastPageAtMs = Number.NEGATIVE_INFINITY
  #lastCause: string | undefined

  constructor(parts: LaneParts) {
    this.#parts = parts
    this.#destination = parts.destination
    this.#limit = new PageLimit(parts.maxPageEvents)
  }

  /** There may be something to send. */
  wake(): void {
    this.#work.raise()
  }

  /** Takes a changed destination between two pages; a changed connection gets a new producer. */
  update(destination: TopicDestination): void {
    this.#isReopening ||=
      JSON.stringify(destination.parameters) !== JSON.stringify(this.#destination.parameters)
    this.#destination = destination
    this.#interrupt()
  }

  /** Ends the lane after the page under way. `run` resolves then. */
  stop(): void {
    this.#isStopping = true
    this.#interrupt()
  }

  #interrupt(): void {
    this.#work.raise()
    this.#control.raise()
  }

  /** Resolves when the lane has ended, by `stop` or because this node no longer leads. Never rejects. */
  async run(): Promise<void> {
    try {
      while (!this.#isStopping) {
        try {
          await this.#step()
        } catch (error) {
          if (!isKafkaError(error)) throw error
          await this.#afterKafkaError(error)
        }
      }
    } catch (error) {
      const isFenced = isTopicDestinationError(error) && error.code === 'KTD_FENCED'
      const fields = { err: error, destination: this.#destination.reference }
      if (isFenced) this.#parts.logger.info(fields, 'another node leads this destination now')
      else this.#parts.logger.warn(fields, 'the lane lost its database and gives up leadership')
    } finally {
      await this.#closeProducer()
    }
  }

  async #step(): Promise<void> {
    if (this.#destination.status === 'off') return await this.#pause()
    if (this.#isReopening) await this.#closeProducer()
    const producer = this.#producer ?? (await this.#open())
    const cursor = this.#cursor ?? (await this.#load())
    await this.#linger()
    const page = await cursor.nextPage(this.#parts.maxPageEvents, this.#parts.maxPageBytes)
    if (page) await this.#send(producer, cursor, page)
    else await this.#rest(cursor)
  }

  /** Order matters: this node's epoch is written already, so older acknowledgements are dead; initTransactions makes older Kafka
   *  commits dead or complete; only then is the cursor read. A row read before that could be older than what Kafka has. */
  async #open(): Promise<TransactionalProducer> {
    this.#isReopening = false
    this.#cursor = undefined
    const producer = this.#parts.createProducer(this.#destination, (cause) => {
      this.#noteCause(cause)
    })
    this.#producer = producer
    await producer.start()
    return producer
  }

  async #load(): Promise<EventCursor> {
    const { db, schema, destinationId, epoch } = this.#parts
    this.#cursor = await EventCursor.load(db, schema, destinationId, epoch)
    return this.#cursor
  }

  async #send(producer: TransactionalProducer, cursor: EventCursor, page: Page): Promise<void> {
    const poisoned = page.events.findIndex(({ id }) => this.#poison.has(id))
    if (poisoned === 0) return await this.#setAside(cursor, page)
    const events = page.events.slice(0, poisoned > 0 ? poisoned : this.#limit.current)
    this.#lastPageAtMs = performance.now()
    try {
      await producer.sendTransaction(
        events.map((event, index) => this.#record(event, page.firstEventNumber + index)),
      )
    } catch (error) {
      if (!isKafkaError(error) || error.kind !== 'poison') throw error
      return await this.#afterPoison(error, cursor, events)
    }
    await cursor.acknowledge(page, events.length)
    this.#limit.widen()
    this.#failures = 0
    this.#lastCause = undefined
  }

  #record(event: OutboxEvent, eventNumber: number): ReturnType<typeof kafkaRecord> {
    const { baseUrl, cloudEventsHeaders } = this.#parts
    return kafkaRecord({ ...event, eventId: event.id, eventNumber }, this.#destination, {
      baseUrl,
      cloudEventsHeaders,
    })
  }

  /** The first event of the page can never be delivered: it keeps its number, its neighbours go on. */
  async #setAside(cursor: EventCursor, page: Page): Promise<void> {
    const [event] = page.events
    if (!event) return
    const cause = this.#poison.get(event.id) ?? 'Kafka refuses this record.'
    await cursor.deadLetter(page, 0, cause)
    this.#poison.delete(event.id)
    this.#parts.logger.error(
      { destination: this.#destination.reference, eventId: event.id, cause },
      'an event was set aside as dead letter',
    )
  }

  /** Named records are set aside at the next step. Where Kafka does not say which record it was, the page shrinks until it is alone. */
  async #afterPoison(
    error: KafkaError,
    cursor: EventCursor,
    events: readonly OutboxEvent[],
  ): Promise<void> {
    const named = events.length === 1 ? [0] : error.poisonIndexes
    for (const index of named) {
      const event = events[index]
      if (event) this.#poison.set(event.id, error.message)
    }
    if (named.length === 0) this.#limit.narrow(events.length)
    await cursor.recordFailure(1, error.message)
  }

  async #afterKafkaError(error: KafkaError): Promise<void> {
    this.#failures++
    if (error.kind === 'fatal' || error.kind === 'fenced') await this.#closeProducer()
    // A connection that never came up knows the cause only from what was logged beside it.
    await this.#recordFailure(this.#lastCause ?? error.message)
    // Not on #work: new events must not cut the back-off short.
    await this.#control.wait(backoffMs(this.#failures))
  }

  async #recordFailure(cause: string): Promise<void> {
    const cursor = this.#cursor ?? (await this.#load())
    await cursor.recordFailure(1, cause)
    // Kept only for the error text: opening reads the row again.
    if (!this.#producer) this.#cursor = undefined
  }

  #noteCause(cause: string): void {
    this.#lastCause = cause
    this.#parts.logger.warn({ destination: this.#destination.reference, cause }, 'Kafka connection')
  }

  /** At most one small Kafka transaction per linger: under load pages grow, an event that finds the lane idle goes at once. */
  async #linger(): Promise<void> {
    const restMs = this.#lastPageAtMs + this.#parts.pageLingerMs - performance.now()
    if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs))
  }

  async #rest(cursor: EventCursor): Promise<void> {
    if (performance.now() - this.#lastPageAtMs > restAfterMs) await cursor.rest()
    await this.#work.wait(this.#parts.pollIntervalMs)
  }

  /** Paused: keeps leadership and the queue, gives the connection back. */
  async #pause(): Promise<void> {
    await this.#closeProducer()
    await this.#work.wait(this.#parts.pollIntervalMs)
  }

  async #closeProducer(): Promise<void> {
    const producer = this.#producer
    this.#producer = undefined
    this.#cursor = undefined
    await producer?.close(this.#parts.stopTimeoutMs)
  }
}
