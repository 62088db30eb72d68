import type { SqlTx } from '../host/types.ts'
import type { KafkaError } from '../kafka/producer.ts'
import { toProducerConfig } from '../kafka/producer-config.ts'
import type { ProducerLease, ProducerPool } from '../kafka/producer-pool.ts'
import { kafkaRecord } from '../notifications/kafka-record.ts'
import type { Logger } from '../observability/logger.ts'
import { flushBestEffortCounters, readDeliveryStatus } from '../outbox/counters.ts'
import type { NewEvent } from '../outbox/enqueue.ts'
import type { OutboxSchema } from '../outbox/schema.ts'
import type { TopicDestination } from '../resources/topic-destination.ts'
import type { RegisteredDestination } from './registry.ts'

/** One event for one best-effort destination. `error`: the criteria could not be decided, so the event is dropped and counted. */
export interface BestEffortEvent {
  readonly destinationReference: string
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
  readonly baseUrl: string
  readonly cloudEventsHeaders: boolean
  readonly logger: Logger
}

const flushIntervalMs = 1000

interface Outlet {
  readonly destinationId: number
  destination: TopicDestination
  lease: ProducerLease | undefined
  /** Undefined until the number to go on from is read; events wait for it. */
  lastEventNumber: number | undefined
  readonly waiting: BestEffortEvent[]
  delivered: number
  lost: number
  inProcess: number
  lastError: { message: string; timestamp: Date } | undefined
}

/** Sends what was committed, from memory. A crash loses what is in memory; a dead broker never slows a write.
 *
 *  Counters are this process's own and are written down each second, so that $status sums them over all nodes. */
export class BestEffortDelivery {
  readonly #parts: BestEffortParts
  readonly #outlets = new Map<string, Outlet>()
  #timer: NodeJS.Timeout | undefined
  #flushing: Promise<void> = Promise.resolve()

  constructor(parts: BestEffortParts) {
    this.#parts = parts
  }

  start(): void {
    this.#timer = setInterval(() => void this.flush(), flushIntervalMs)
    this.#timer.unref()
  }

  /** Takes the registry's view: new destinations get an outlet, gone ones are closed, changed ones a new producer. */
  reconcile(destinations: ReadonlyMap<string, RegisteredDestination>): void {
    for (const [reference, outlet] of this.#outlets) {
      const registered = destinations.get(reference)
      if (registered?.row.destinationId === outlet.destinationId && registered.destination) continue
      this.#outlets.delete(reference)
      void outlet.lease?.release(0)
    }
    for (const { row, destination } of destinations.values()) {
      if (row.kind !== 'kafka-best-effort' || !destination) continue
      const outlet = this.#outlets.get(row.reference)
      if (!outlet) this.#open(row.destinationId, destination)
      else this.#change(outlet, destination)
    }
  }

  /** Returns at once; never throws. */
  deliver(events: readonly BestEffortEvent[]): void {
    for (const event of events) {
      const outlet = this.#outlets.get(event.destinationReference)
      if (!outlet || outlet.destination.status === 'off') continue
      outlet.inProcess++
      if (outlet.lastEventNumber === undefined) outlet.waiting.push(event)
      else this.#send(outlet, event)
    }
  }

  /** Writes this node's counters down. Never rejects. */
  async flush(): Promise<void> {
    this.#flushing = this.#flushing.then(async () => {
      const rows = [...this.#outlets.values()].map((outlet) => ({
        destinationId: outlet.destinationId,
        delivered: outlet.delivered,
        lost: outlet.lost,
        inProcess: outlet.inProcess,
        ...(outlet.lastError === undefined ? {} : { lastError: outlet.lastError }),
      }))
      try {
        const { db, schema, nodeId } = this.#parts
        if (rows.length > 0) await flushBestEffortCounters(db, schema, nodeId, rows)
      } catch (error) {
        this.#parts.logger.warn({ err: error }, 'cannot write best-effort counters; will retry')
      }
    })
    await this.#flushing
  }

  /** Sends what is in memory until the deadline; the rest is counted as lost. */
  async stop(timeoutMs: number): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all([...this.#outlets.values()].map((outlet) => outlet.lease?.release(timeoutMs)))
    await this.flush()
  }

  #open(destinationId: number, destination: TopicDestination): void {
    const outlet: Outlet = {
      destinationId,
      destination,
      lease: undefined,
      lastEventNumber: undefined,
      waiting: [],
      delivered: 0,
      lost: 0,
      inProcess: 0,
      lastError: undefined,
    }
    outlet.lease = this.#lease(outlet)
    this.#outlets.set(destination.reference, outlet)
    void this.#number(outlet)
  }

  /** Event numbers go on where the counters stand, so that they rise over a restart. */
  async #number(outlet: Outlet): Promise<void> {
    try {
      const { db, schema } = this.#parts
      const status = await readDeliveryStatus(db, schema, outlet.destination.reference)
      outlet.lastEventNumber = (status?.delivered ?? 0) + (status?.lost ?? 0) + (status?.inProcess ?? 0)
    } catch (error) {
      this.#parts.logger.warn({ err: error }, 'cannot read the last event number; starting at 1')
      outlet.lastEventNumber = 0
    }
    for (const event of outlet.waiting.splice(0)) this.#send(outlet, event)
  }

  #change(outlet: Outlet, destination: TopicDestination): void {
    const isSameConnection =
      JSON.stringify(outlet.destination.parameters) === JSON.stringify(destination.parameters)
    outlet.destination = destination
    if (isSameConnection) return
    const before = outlet.lease
    outlet.lease = this.#lease(outlet)
    // Records handed to the old producer still go out over the old connection.
    void before?.release(destination.parameters.deliveryTimeoutMs ?? 120_000)
  }

  #lease(outlet: Outlet): ProducerLease {
    return this.#parts.pool.acquire(
      toProducerConfig(outlet.destination.parameters, 'best-effort'),
      this.#parts.logger,
      {
        onError: (cause) => {
          this.#noteError(outlet, cause)
        },
      },
    )
  }

  #send(outlet: Outlet, { event, error, eventId, at }: BestEffortEvent): void {
    if (error !== undefined || !outlet.lease) {
      return this.#settle(outlet, error ?? 'The destination is closed.')
    }
    const eventNumber = (outlet.lastEventNumber ?? 0) + 1
    outlet.lastEventNumber = eventNumber
    const { baseUrl, cloudEventsHeaders } = this.#parts
    const record = kafkaRecord({ ...event, eventId, eventNumber, at }, outlet.destination, {
      baseUrl,
      cloudEventsHeaders,
    })
    outlet.lease.producer.send(record, (failure?: KafkaError) => {
      this.#settle(outlet, failure?.message)
    })
  }

  #settle(outlet: Outlet, lostBecause: string | undefined): void {
    outlet.inProcess--
    if (lostBecause === undefined) {
      outlet.delivered++
      return
    }
    outlet.lost++
    this.#noteError(outlet, lostBecause)
  }

  #noteError(outlet: Outlet, message: string): void {
    if (outlet.lastError?.message !== message) {
      this.#parts.logger.warn({ destination: outlet.destination.reference, cause: message }, 'best effort')
    }
    outlet.lastError = { message, timestamp: new Date() }
  }
}
