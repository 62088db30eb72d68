import { publish } from './channel-table.ts'
import type { NodeFigures } from './node-figures.ts'
import type { SentEvent, TracedChange, Tracing, WriteSpan } from './tracing.ts'

/** What is counted of a match. */
interface Matched {
  readonly events: readonly unknown[]
  readonly undecided: readonly unknown[]
  readonly bestEffort: readonly unknown[]
}

/** What telemetry wants to know of an event. */
interface DeliveredEvent {
  readonly at: Date
  readonly traceparent?: string
}

/** A page that Kafka has. Times are those of `Date.now()`, in milliseconds. */
export interface SentPage {
  readonly destination: string
  readonly destinationId: number
  readonly kafkaTopic: string
  readonly firstEventNumber: number
  readonly events: readonly DeliveredEvent[]
  readonly attempts: number
  /** Why the last one before this failed. */
  readonly failure: string | undefined
  readonly firstStartMs: number
  readonly startMs: number
}

/** An event of best effort that Kafka has. */
export interface SentRecord {
  readonly destination: string
  readonly destinationId: number
  readonly kafkaTopic: string
  readonly eventNumber: number
  readonly event: DeliveredEvent
  readonly startMs: number
}

/** The one place where what happens becomes figures, messages on channels and spans. Every method returns at once, and costs little while
 *  nobody wants to know. */
export class Telemetry {
  readonly #schema: string
  readonly #figures: NodeFigures | undefined
  /** Set when the module starts, where there is OpenTelemetry. */
  tracing: Tracing | undefined

  /** @param schema PostgreSQL schema of the outbox, which names the installation
   *  @param figures absent: there are no metrics */
  constructor(schema: string, figures?: NodeFigures) {
    this.#schema = schema
    this.#figures = figures
  }

  /** A transaction of the host, from before its COMMIT. */
  beginWrite(changes: readonly TracedChange[]): WriteTelemetry {
    const span = this.tracing?.startWrite(changes)
    return new WriteTelemetry(this.#schema, this.#figures, span, changes.length)
  }

  pageSent(page: SentPage): void {
    const { destination, destinationId, kafkaTopic, firstEventNumber, events, attempts } = page
    const endMs = Date.now()
    const durationMs = endMs - page.startMs
    if (this.#figures) {
      this.#figures.produceSeconds.observe(durationMs / 1000)
      const latency = this.#figures.deliverySecondsOf(destinationId, 'kafka-at-least-once')
      for (const { at } of events) latency.observe((endMs - at.getTime()) / 1000)
    }
    publish('page', this.#schema, {
      destination,
      kafkaTopic,
      firstEventNumber,
      events: events.length,
      attempts,
      durationMs,
    })
    this.tracing?.recordSent(sentEvents(page, endMs))
  }

  recordSent(record: SentRecord): void {
    const { destination, destinationId, kafkaTopic, eventNumber, event, startMs } = record
    const endMs = Date.now()
    this.#figures
      ?.deliverySecondsOf(destinationId, 'kafka-best-effort')
      .observe((endMs - event.at.getTime()) / 1000)
    publish('delivered', this.#schema, {
      destination,
      kafkaTopic,
      eventNumber,
      durationMs: endMs - startMs,
    })
    const { traceparent } = event
    this.tracing?.recordSent([
      { traceparent, destination, kafkaTopic, eventNumber, batchEvents: 1, startMs, endMs },
    ])
  }

  lost(destination: string, cause: string): void {
    publish('lost', this.#schema, { destination, cause })
  }

  failed(destination: string, failures: number, cause: string | undefined): void {
    publish('failure', this.#schema, { destination, failures, cause })
  }

  troubled(destination: string, cause: string): void {
    publish('trouble', this.#schema, { destination, cause })
  }

  setAside(destination: string, eventNumber: number, eventId: string, cause: string): void {
    publish('deadLetter', this.#schema, { destination, eventNumber, eventId, cause })
  }

  leads(destination: string, epoch: number, isLeading: boolean): void {
    publish('leading', this.#schema, { destination, epoch, isLeading })
  }

  connected(destination: string, isOpen: boolean): void {
    publish('connection', this.#schema, { destination, isOpen })
  }

  decided(counts: { fired: number; notFired: number; undecided: number }): void {
    const { fired, notFired, undecided } = counts
    publish('decided', this.#schema, { fired, notFired, undecided })
  }
}

function* sentEvents(page: SentPage, endMs: number): Iterable<SentEvent> {
  const { destination, kafkaTopic, firstEventNumber, events, attempts, failure } = page
  const relay = { startMs: page.firstStartMs, attempts, failure }
  const batch = { destination, kafkaTopic, batchEvents: events.length, startMs: page.startMs }
  for (const [index, { traceparent }] of events.entries()) {
    yield { ...batch, traceparent, eventNumber: firstEventNumber + index, endMs, relay }
  }
}

/** The module's part of one transaction of the host. */
export class WriteTelemetry {
  readonly #schema: string
  readonly #figures: NodeFigures | undefined
  readonly #span: WriteSpan | undefined
  readonly #changes: number

  constructor(
    schema: string,
    figures: NodeFigures | undefined,
    span: WriteSpan | undefined,
    changes: number,
  ) {
    this.#schema = schema
    this.#figures = figures
    this.#span = span
    this.#changes = changes
  }

  /** What goes with the events instead of the request's; undefined: the request's. */
  get traceparent(): string | undefined {
    return this.#span?.traceparent
  }

  async match<Result extends Matched>(work: () => Promise<Result>): Promise<Result> {
    const startMs = performance.now()
    const matched = this.#span
      ? await this.#span.during('match', attributesOfMatch, work)
      : await work()
    const durationMs = performance.now() - startMs
    this.#figures?.matchSeconds.observe(durationMs / 1000)
    publish('match', this.#schema, {
      changes: this.#changes,
      events: matched.events.length,
      bestEffortEvents: matched.bestEffort.length,
      undecided: matched.undecided.length,
      durationMs,
    })
    return matched
  }

  async enqueue(
    { events, undecided }: Omit<Matched, 'bestEffort'>,
    work: () => Promise<void>,
  ): Promise<void> {
    if (events.length + undecided.length === 0) return
    const startMs = performance.now()
    if (this.#span) {
      const attributes = { 'fhir_topic_destination.events': events.length }
      await this.#span.during('enqueue', () => attributes, work)
    } else await work()
    const durationMs = performance.now() - startMs
    if (this.#figures) {
      this.#figures.enqueueSeconds.observe(durationMs / 1000)
      this.#figures.enqueued += events.length
    }
    publish('enqueue', this.#schema, {
      events: events.length,
      undecided: undecided.length,
      durationMs,
    })
  }

  end(isCommitted: boolean): void {
    this.#span?.end(isCommitted)
  }
}

function attributesOfMatch({ events, undecided, bestEffort }: Matched) {
  return {
    'fhir_topic_destination.events': events.length + bestEffort.length,
    'fhir_topic_destination.undecided': undecided.length,
  }
}
