import { isDeepStrictEqual } from 'node:util'
import type { SqlTx } from '../host/types.ts'
import type { IsServerAllowed } from '../kafka/bootstrap-servers.ts'
import type { KafkaCause } from '../kafka/kafka-causes.ts'
import { toProducerConfig } from '../kafka/producer-config.ts'
import type { KafkaRecord } from '../kafka/producer.ts'
import type { ProducerLease, ProducerPool } from '../kafka/producer-pool.ts'
import { kafkaRecord } from '../notifications/kafka-record.ts'
import type { Logger } from '../observability/logger.ts'
import type { Telemetry } from '../observability/telemetry.ts'
import { OnceAMinute } from '../observability/once-a-minute.ts'
import { flushBestEffortCounters, readDeliveryStatus } from '../outbox/counters.ts'
import type { NewEvent } from '../outbox/enqueue.ts'
import { maxErrors } from '../outbox/error-list.ts'
import type { OutboxSchema } from '../outbox/schema.ts'
import type { TopicDestination } from '../resources/topic-destination.ts'
import { logDelivery } from './delivery-log.ts'
import type { RegisteredDestination } from './registered-destination.ts'

/** One event for one best-effort destination. `error`: the criteria could not be decided, so the event is dropped and counted. */
export interface BestEffortEvent {
  readonly destinationId: number
  readonly topicUrl: string
  readonly eventId: string
  readonly at: Date
  readonly event: NewEvent
  readonly error: string | undefined
}

export interface BestEffortParts {
  readonly db: SqlTx
  readonly schema: OutboxSchema
  /** Names this process in the counters. */
  readonly nodeId: string
  readonly pool: ProducerPool
  /** Which Kafka servers a destination may name.
   *  @default every one */
  readonly isServerAllowed?: IsServerAllowed
  readonly baseUrl: string
  readonly cloudEventsHeaders: boolean
  readonly logger: Logger
  /** @default nobody is told */
  readonly telemetry?: Telemetry
}

/** Records are made and handed over together, not each in the time of a write: in a row they cost half of the processor. */
const sendDelayMs = 5
const flushIntervalMs = 1000
/** An error that was not seen for so long is new. */
const quietMs = 60_000
/** How many events may wait for the database to say the number to go on from. */
const maxWaiting = 10_000

/** What became of an event. */
interface Settlement {
  /** Absent: it was delivered. */
  readonly lostBecause?: string
  /** Url of the topic whose criteria could not be decided, when it was lost by that. */
  readonly undecidedTopic?: string
}

/** Lives as long as the destination's row, because its counters are absolute: one that began again would take back what was counted. */
interface Outlet {
  readonly destinationId: number
  readonly reference: string
  /** Absent while the destination cannot be used, or is of the other kind. */
  destination: TopicDestination | undefined
  fault: string | undefined
  lease: ProducerLease | undefined
  /** Undefined until the number to go on from is read; events wait for it. */
  lastEventNumber: number | undefined
  readonly waiting: BestEffortEvent[]
  delivered: number
  lost: number
  /** Of those lost. */
  undecided: number
  inProcess: number
  /** Times by message, the newest last. */
  readonly errors: Map<string, Date>
}

/** Sends what was committed, from memory. A crash loses what is in memory; a dead broker never slows a write.
 *
 *  Counters are this process's own and are written down each second, so that $status sums them over all nodes. */
export class BestEffortDelivery {
  readonly #parts: BestEffortParts
  readonly #outlets = new Map<number, Outlet>()
  readonly #undecidedLines = new OnceAMinute()
  #isStopping = false
  #timer: NodeJS.Timeout | undefined
  #sendTimer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()
  #nextWrite: Promise<void> | undefined

  constructor(parts: BestEffortParts) {
    this.#parts = parts
  }

  start(): void {
    this.#timer = setTimeout(() => void this.#flushAgain(), flushIntervalMs)
    this.#timer.unref()
  }

  async #flushAgain(): Promise<void> {
    await this.flush()
    if (!this.#isStopping) this.start()
  }

  /** Takes the registry's view: new destinations get an outlet, gone ones are closed, changed ones a new producer. Never throws. */
  reconcile(destinations: ReadonlyMap<string, RegisteredDestination>): void {
    // They were committed under the destinations as they were.
    this.#sendWaiting()
    const byId = new Map([...destinations.values()].map((each) => [each.row.destinationId, each]))
    for (const [destinationId, outlet] of this.#outlets) {
      if (byId.has(destinationId)) continue
      this.#outlets.delete(destinationId)
      void outlet.lease?.release(0)
    }
    for (const [destinationId, { row, destination, fault }] of byId) {
      const isBestEffort = row.kind === 'kafka-best-effort'
      const outlet =
        this.#outlets.get(destinationId) ??
        (isBestEffort ? this.#open(destinationId, row.reference) : undefined)
      if (outlet) this.#serve(outlet, isBestEffort ? destination : undefined, fault)
    }
  }

  /** Returns at once; never throws. */
  deliver(events: readonly BestEffortEvent[]): void {
    for (const event of events) {
      const outlet = this.#outlets.get(event.destinationId)
      if (!outlet || outlet.destination?.status === 'off') continue
      outlet.inProcess++
      // One transaction can hold more than may wait.
      if (outlet.waiting.length >= maxWaiting) this.#sendWaiting()
      if (outlet.waiting.length < maxWaiting) outlet.waiting.push(event)
      else {
        const lostBecause = 'Too many events wait for the database to number them.'
        this.#settle(outlet, { lostBecause })
      }
    }
    this.#sendTimer ??= setTimeout(() => {
      this.#sendWaiting()
    }, sendDelayMs)
  }

  #sendWaiting(): void {
    clearTimeout(this.#sendTimer)
    this.#sendTimer = undefined
    for (const outlet of this.#outlets.values()) {
      if (outlet.lastEventNumber === undefined) continue
      for (const event of outlet.waiting.splice(0)) this.#send(outlet, event)
    }
  }

  /** Writes this node's counters down, as they are at this call or later. Never rejects. */
  async flush(): Promise<void> {
    this.#nextWrite ??= this.#writeNext()
    await this.#nextWrite
  }

  /** Calls that come while a write is under way share the one after it. */
  async #writeNext(): Promise<void> {
    await this.#writing
    this.#nextWrite = undefined
    this.#writing = this.#write()
    await this.#writing
  }

  async #write(): Promise<void> {
    const { db, schema, nodeId, logger } = this.#parts
    const rows = [...this.#outlets.values()].map((outlet) => ({
      destinationId: outlet.destinationId,
      delivered: outlet.delivered,
      lost: outlet.lost,
      undecided: outlet.undecided,
      inProcess: outlet.inProcess,
      lastErrors: [...outlet.errors]
        .map(([message, timestamp]) => ({ message, timestamp }))
        .toReversed(),
    }))
    try {
      await flushBestEffortCounters(db, schema, nodeId, rows)
    } catch (error) {
      logger.warn({ err: error }, 'cannot write best-effort counters; will retry')
    }
  }

  /** Sends what is in memory until the deadline; the rest is counted as lost. */
  async stop(timeoutMs: number): Promise<void> {
    this.#isStopping = true
    clearTimeout(this.#timer)
    this.#sendWaiting()
    await this.#parts.pool.close(timeoutMs)
    for (const outlet of this.#outlets.values()) {
      const lostBecause = 'Delivery was stopped.'
      while (outlet.waiting.pop()) this.#settle(outlet, { lostBecause })
    }
    await this.flush()
  }

  #open(destinationId: number, reference: string): Outlet {
    const outlet: Outlet = {
      destinationId,
      reference,
      destination: undefined,
      fault: undefined,
      lease: undefined,
      lastEventNumber: undefined,
      waiting: [],
      delivered: 0,
      lost: 0,
      undecided: 0,
      inProcess: 0,
      errors: new Map(),
    }
    this.#outlets.set(destinationId, outlet)
    void this.#number(outlet)
    return outlet
  }

  /** Event numbers go on where the counters stand, so that they rise over a restart. */
  async #number(outlet: Outlet): Promise<void> {
    let last = 0
    try {
      const { db, schema } = this.#parts
      const status = await readDeliveryStatus(db, schema, outlet.reference)
      last = (status?.delivered ?? 0) + (status?.lost ?? 0) + (status?.inProcess ?? 0)
    } catch (error) {
      this.#parts.logger.warn({ err: error }, 'cannot read the last event number; starting at 1')
    }
    outlet.lastEventNumber = last
    this.#sendWaiting()
  }

  #serve(
    outlet: Outlet,
    destination: TopicDestination | undefined,
    fault: string | undefined,
  ): void {
    const before = outlet.destination
    outlet.destination = destination
    outlet.fault = fault
    if (isDeepStrictEqual(before?.parameters, destination?.parameters)) return
    const lease = outlet.lease
    outlet.lease = destination && this.#lease(outlet, destination)
    // Records handed to the old producer still go out over the old connection.
    void lease?.release(before?.parameters.deliveryTimeoutMs ?? 120_000)
  }

  #lease(outlet: Outlet, { parameters, kafkaTopic }: TopicDestination): ProducerLease | undefined {
    const { pool, logger, isServerAllowed } = this.#parts
    const onError = (message: string, cause: KafkaCause): void => {
      // The producer may be shared with destinations that write to other topics.
      if (cause.kafkaTopic === undefined || cause.kafkaTopic === kafkaTopic) {
        this.#noteError(outlet, message)
      }
    }
    try {
      const config = toProducerConfig(parameters, 'best-effort', undefined, isServerAllowed)
      return pool.acquire(config, logger, { onError })
    } catch (error) {
      outlet.fault = error instanceof Error ? error.message : String(error)
      return undefined
    }
  }

  #send(outlet: Outlet, event: BestEffortEvent): void {
    const { destination, lease } = outlet
    if (event.error !== undefined) {
      this.#settle(outlet, { lostBecause: event.error, undecidedTopic: event.topicUrl })
      return
    }
    if (!destination || !lease) {
      this.#settle(outlet, { lostBecause: outlet.fault ?? 'The destination is closed.' })
      return
    }
    const eventNumber = (outlet.lastEventNumber ?? 0) + 1
    outlet.lastEventNumber = eventNumber
    let record: KafkaRecord
    try {
      record = this.#record(event, eventNumber, destination)
    } catch (error) {
      const name = error instanceof Error ? error.name : 'unknown error'
      this.#settle(outlet, { lostBecause: `The notification could not be made (${name}).` })
      return
    }
    const startMs = Date.now()
    lease.producer.send(record, (failure) => {
      this.#settle(outlet, failure ? { lostBecause: failure.message } : {})
      if (!failure) this.#tellSent(outlet, destination, event, eventNumber, startMs)
      logDelivery(this.#parts.logger, destination, {
        topicUrl: event.topicUrl,
        eventNumbers: [eventNumber, eventNumber],
        ...(failure ? { error: failure.message } : {}),
      })
    })
  }

  #tellSent(
    { destinationId, reference }: Outlet,
    { kafkaTopic }: TopicDestination,
    { at, event: { traceparent } }: BestEffortEvent,
    eventNumber: number,
    startMs: number,
  ): void {
    const event = { at, ...(traceparent === undefined ? {} : { traceparent }) }
    const sent = { destination: reference, destinationId, kafkaTopic, eventNumber, event, startMs }
    this.#parts.telemetry?.recordSent(sent)
  }

  #record(
    { event, topicUrl, eventId, at }: BestEffortEvent,
    eventNumber: number,
    destination: TopicDestination,
  ): KafkaRecord {
    return kafkaRecord({ ...event, topicUrl, eventId, eventNumber, at }, destination, this.#parts)
  }

  /** The one place where an event is counted, whatever becomes of it. */
  #settle(outlet: Outlet, { lostBecause, undecidedTopic }: Settlement): void {
    outlet.inProcess--
    if (lostBecause === undefined) {
      outlet.delivered++
      return
    }
    outlet.lost++
    this.#parts.telemetry?.lost(outlet.reference, lostBecause)
    if (undecidedTopic !== undefined) outlet.undecided++
    this.#noteError(outlet, lostBecause, undecidedTopic)
  }

  #noteError(outlet: Outlet, message: string, undecidedTopic?: string): void {
    // One that lasts is logged once, one that comes back is logged again.
    const lastAt = outlet.errors.get(message)?.getTime() ?? 0
    if (undecidedTopic !== undefined) this.#tellUndecided(outlet, undecidedTopic, message)
    else if (Date.now() - lastAt > quietMs) {
      this.#parts.logger.warn({ destination: outlet.reference, cause: message }, 'best effort')
    }
    keepError(outlet, message)
  }

  /** It may happen with every write, so the log tells it once a minute for a topic. */
  #tellUndecided({ reference }: Outlet, topic: string, cause: string): void {
    const count = this.#undecidedLines.pass(topic)
    if (count === undefined) return
    this.#parts.logger.warn(
      { topic, destination: reference, count, cause },
      'the criteria of a topic could not be decided; best effort drops its events',
    )
  }
}

/** The newest last; of those that are there already the time is renewed. */
function keepError({ errors }: Outlet, message: string): void {
  errors.delete(message)
  errors.set(message, new Date())
  const [oldest] = errors.keys()
  if (errors.size > maxErrors && oldest !== undefined) errors.delete(oldest)
}
