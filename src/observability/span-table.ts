export type SpanKey = 'write' | 'match' | 'enqueue' | 'relay' | 'send'

export interface SpanDefinition {
  readonly name: string
  readonly kind: 'INTERNAL' | 'PRODUCER'
  readonly doc: string
  readonly attributes: readonly string[]
}

/** The spans of one event, and their attributes. Names of attributes are those of OpenTelemetry's semantic conventions for messaging where there is
 *  one. None names a resource. */
export const spanTable: Readonly<Record<SpanKey, SpanDefinition>> = {
  write: {
    name: 'fhir_topic_destination write',
    kind: 'INTERNAL',
    doc: "The module's part of a transaction, from before COMMIT to after it. Child of the active span, else of the request's traceparent. Its own traceparent goes with the events.",
    attributes: ['fhir_topic_destination.changes', 'fhir_topic_destination.committed'],
  },
  match: {
    name: 'fhir_topic_destination match',
    kind: 'INTERNAL',
    doc: 'The changes are matched against all topics; child of write.',
    attributes: ['fhir_topic_destination.events', 'fhir_topic_destination.undecided'],
  },
  enqueue: {
    name: 'fhir_topic_destination enqueue',
    kind: 'INTERNAL',
    doc: 'The events are written to the outbox; child of write.',
    attributes: ['fhir_topic_destination.events'],
  },
  relay: {
    name: 'fhir_topic_destination relay',
    kind: 'INTERNAL',
    doc: "From the first attempt with this event's page on this node until Kafka has it; child of write. Whatever failed before is an event of the span.",
    attributes: [
      'fhir_topic_destination.destination',
      'fhir_topic_destination.event_number',
      'fhir_topic_destination.attempts',
    ],
  },
  send: {
    name: 'send',
    kind: 'PRODUCER',
    doc: 'The attempt that has succeeded, named `send <Kafka topic>`; child of relay, of best effort of write.',
    attributes: [
      'messaging.system',
      'messaging.operation.name',
      'messaging.operation.type',
      'messaging.destination.name',
      'messaging.batch.message_count',
      'fhir_topic_destination.destination',
      'fhir_topic_destination.event_number',
    ],
  },
}
