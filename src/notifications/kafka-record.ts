import type { KafkaHeader, KafkaRecord } from '../kafka/producer.ts'
import {
  focusReference,
  notificationBundle,
  utcSeconds,
  type NotificationEvent,
  type NotificationTarget,
} from './notification-bundle.ts'

export interface KafkaRecordOptions {
  /** Base URL of the server, for example `https://fhir.example.org/fhir`. */
  readonly baseUrl: string
  /** `false` leaves only `content-type`, `traceparent` and the correlation id. */
  readonly cloudEventsHeaders: boolean
}

/** Name of the Kafka header that carries the correlation id: the one of the HTTP request, as Aidbox names it by default. */
const correlationIdHeader = 'x-topic-correlation-id'
/** On what an operator has asked for: `redrive`, `replay` or `backfill`, and the number of the job. */
const deliveryHeader = 'x-topic-delivery'
const jobHeader = 'x-topic-delivery-job'

/** The record of one event for one destination; byte-identical each time it is made.
 *
 *  Headers: CloudEvents 1.0, Kafka protocol binding, binary content mode. `ce_id` is `<destination>/<eventId>`, so that a
 *  consumer can drop doubles; `ce_type` is `fhir.<resourceType>.<interaction>`, so that it can route without parsing. */
export function kafkaRecord(
  event: NotificationEvent,
  target: NotificationTarget,
  options: KafkaRecordOptions,
): KafkaRecord {
  return {
    kafkaTopic: target.kafkaTopic,
    key: target.keyByResourceId ? event.resourceId : null,
    value: Buffer.from(notificationBundle(event, target, options.baseUrl)),
    headers: recordHeaders(event, target, options),
  }
}

function recordHeaders(
  event: NotificationEvent,
  target: NotificationTarget,
  { baseUrl, cloudEventsHeaders }: KafkaRecordOptions,
): KafkaHeader[] {
  const headers: KafkaHeader[] = []
  if (cloudEventsHeaders) {
    headers.push(
      specVersion,
      { ce_id: `${target.reference}/${event.eventId}` },
      { ce_type: `fhir.${event.resourceType}.${event.interaction}` },
      { ce_source: baseUrl },
      { ce_subject: focusReference(event, target) },
      { ce_time: utcSeconds(event.at) },
    )
  }
  headers.push(contentType)
  if (event.traceparent !== undefined) headers.push({ traceparent: event.traceparent })
  if (event.correlationId !== undefined)
    headers.push({ [correlationIdHeader]: event.correlationId })
  if (event.asked) {
    headers.push({ [deliveryHeader]: event.asked.kind }, { [jobHeader]: event.asked.jobId })
  }
  return headers
}

const specVersion: KafkaHeader = { ce_specversion: '1.0' }
const contentType: KafkaHeader = { 'content-type': 'application/fhir+json' }
