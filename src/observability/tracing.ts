import type * as OpenTelemetry from '@opentelemetry/api'
import type { Attributes, Context, Span, Tracer, TracerProvider } from '@opentelemetry/api'
import { ifInstalled } from '../if-installed.ts'
import { spanTable, type SpanKey } from './span-table.ts'

type Api = typeof OpenTelemetry
/** Attributes without those that are not known. */
type GivenAttributes = Readonly<Record<string, string | number | boolean>>

const tracerName = 'fhir-topic-destination-kafka'

/** What a span of a write takes from one of its changes. */
export interface TracedChange {
  readonly traceparent?: string
}

/** One event that Kafka has. Times are those of `Date.now()`. */
export interface SentEvent {
  /** Of its transaction; nothing is recorded without one, or when it says that the trace is not sampled. */
  readonly traceparent: string | undefined
  readonly destination: string
  readonly kafkaTopic: string
  readonly eventNumber: number
  /** Events that were sent together. */
  readonly batchEvents: number
  /** The attempt that has succeeded. */
  readonly startMs: number
  readonly endMs: number
  /** Absent: best effort. */
  readonly relay?: {
    /** The first attempt. */
    readonly startMs: number
    readonly attempts: number
    /** Why the last one before it failed. */
    readonly failure: string | undefined
  }
}

/** Spans through @opentelemetry/api. Without an SDK nothing is made; what is stored of a trace is its `traceparent`, so it goes on in whatever
 *  process delivers the event. */
export class Tracing {
  readonly #api: Api

  constructor(api: Api) {
    this.#api = api
  }

  /** Undefined when the package is not installed. */
  static async load(): Promise<Tracing | undefined> {
    const api = await ifInstalled(() => import('@opentelemetry/api'))
    return api && new Tracing(api)
  }

  /** Undefined while no SDK is registered, or when the trace is not recorded. */
  startWrite(changes: readonly TracedChange[]): WriteSpan | undefined {
    const tracer = this.#tracer
    if (!tracer) return undefined
    const { context, trace } = this.#api
    const active = context.active()
    const traceparent = changes.find((change) => change.traceparent !== undefined)?.traceparent
    const parent = trace.getSpan(active) ? active : (this.#remote(traceparent) ?? active)
    const attributes = { 'fhir_topic_destination.changes': changes.length }
    const span = this.#start(tracer, 'write', parent, { attributes })
    return span.isRecording() ? new WriteSpan(this.#api, tracer, span, parent) : undefined
  }

  /** The spans of events that Kafka has, made afterwards: an attempt that fails for hours makes none. */
  recordSent(events: Iterable<SentEvent>): void {
    const tracer = this.#tracer
    if (!tracer) return
    for (const event of events) this.#recordOne(tracer, event)
  }

  #recordOne(tracer: Tracer, event: SentEvent): void {
    if (!isSampled(event.traceparent)) return
    const parent = this.#remote(event.traceparent)
    if (!parent) return
    const { destination, kafkaTopic, eventNumber, batchEvents, startMs, endMs, relay } = event
    const own = {
      'fhir_topic_destination.destination': destination,
      'fhir_topic_destination.event_number': eventNumber,
    }
    const relaying =
      relay &&
      this.#start(tracer, 'relay', parent, {
        startTime: relay.startMs,
        attributes: { ...own, 'fhir_topic_destination.attempts': relay.attempts },
      })
    const above = relaying ? this.#api.trace.setSpan(parent, relaying) : parent
    const sending = this.#start(tracer, 'send', above, {
      name: `${spanTable.send.name} ${kafkaTopic}`,
      startTime: startMs,
      attributes: {
        ...own,
        'messaging.system': 'kafka',
        'messaging.operation.name': 'send',
        'messaging.operation.type': 'send',
        'messaging.destination.name': kafkaTopic,
        'messaging.batch.message_count': batchEvents,
      },
    })
    sending.end(endMs)
    if (relay?.failure !== undefined) {
      relaying?.addEvent('attempts failed', { 'exception.message': relay.failure }, startMs)
    }
    relaying?.end(endMs)
  }

  /** Of the SDK; the proxy of the API answers undefined while there is none. */
  get #tracer(): Tracer | undefined {
    // Not by its class: there may be another copy of the package in the process.
    const provider: TracerProvider & {
      readonly getDelegateTracer?: (name: string) => Tracer | undefined
    } = this.#api.trace.getTracerProvider()
    return provider.getDelegateTracer
      ? provider.getDelegateTracer(tracerName)
      : provider.getTracer(tracerName)
  }

  #start(
    tracer: Tracer,
    key: SpanKey,
    parent: Context,
    options: { name?: string; startTime?: number; attributes: GivenAttributes },
  ): Span {
    return startSpan(this.#api, tracer, key, parent, options)
  }

  #remote(traceparent: string | undefined): Context | undefined {
    const parts = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/.exec(
      traceparent ?? '',
    )
    if (!parts || traceparent?.startsWith('ff')) return undefined
    const [, traceId = '', spanId = '', flags = ''] = parts
    const spanContext = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true }
    const { trace, ROOT_CONTEXT, isSpanContextValid } = this.#api
    return isSpanContextValid(spanContext)
      ? trace.setSpanContext(ROOT_CONTEXT, spanContext)
      : undefined
  }
}

/** The module's part of one transaction of the host. */
export class WriteSpan {
  readonly #api: Api
  readonly #tracer: Tracer
  readonly #span: Span
  readonly #context: Context
  #isEnded = false

  constructor(api: Api, tracer: Tracer, span: Span, parent: Context) {
    this.#api = api
    this.#tracer = tracer
    this.#span = span
    this.#context = api.trace.setSpan(parent, span)
  }

  /** W3C Trace Context of this span. */
  get traceparent(): string {
    const { traceId, spanId, traceFlags } = this.#span.spanContext()
    return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
  }

  /** A child span around the work, active meanwhile. */
  async during<Result>(
    key: 'match' | 'enqueue',
    attributesOf: (result: Result) => GivenAttributes,
    work: () => Promise<Result>,
  ): Promise<Result> {
    const { context, trace, SpanStatusCode } = this.#api
    const span = startSpan(this.#api, this.#tracer, key, this.#context, { attributes: {} })
    try {
      const result = await context.with(trace.setSpan(this.#context, span), work)
      span.setAttributes(attributesOf(result))
      return result
    } catch (error) {
      // Its message may quote a row.
      span.setStatus({ code: SpanStatusCode.ERROR })
      throw error
    } finally {
      span.end()
    }
  }

  /** Can be called again. */
  end(isCommitted: boolean): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#span.setAttribute('fhir_topic_destination.committed', isCommitted)
    this.#span.end()
  }
}

function startSpan(
  { SpanKind }: Api,
  tracer: Tracer,
  key: SpanKey,
  parent: Context,
  options: { name?: string; startTime?: number; attributes: GivenAttributes },
): Span {
  const { name, kind } = spanTable[key]
  const attributes: Attributes = options.attributes
  const start = options.startTime === undefined ? {} : { startTime: options.startTime }
  return tracer.startSpan(
    options.name ?? name,
    { kind: SpanKind[kind], attributes, ...start },
    parent,
  )
}

function isSampled(traceparent: string | undefined): boolean {
  if (traceparent === undefined) return false
  return (Number.parseInt(traceparent.slice(53, 55), 16) & 1) === 1
}
