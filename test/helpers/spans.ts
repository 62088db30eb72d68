import type { ReadableSpan } from '@opentelemetry/sdk-trace-base'

/** What an exporter gets of a span, without what is about the process. */
export interface PlainSpan {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string | undefined
  readonly attributes: Readonly<Record<string, unknown>>
  readonly events: readonly unknown[]
  readonly status: unknown
}

export function plainSpan(span: ReadableSpan): PlainSpan {
  const { traceId, spanId } = span.spanContext()
  const { name, attributes, events, status, parentSpanContext } = span
  return { name, traceId, spanId, parentId: parentSpanContext?.spanId, attributes, events, status }
}
