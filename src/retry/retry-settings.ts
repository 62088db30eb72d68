import type { ProducerConfig } from '../kafka/producer-config.ts'
import {
  pagePaceProperties,
  topicProperties,
  transactionalProperties,
  transactionPropagationMs,
} from '../kafka/producer-properties.ts'

/** Properties of librdkafka, by its names: `bootstrap.servers`, `security.protocol`, `sasl.*`, `ssl.*`. Holds secrets in clear: never log it. */
export type KafkaConnection = Readonly<Record<string, string | number | boolean>>

/** Bounded by the broker's own limits: what could be read must be writable. */
const maxMessageBytes = 100_000_000
const reconnectBackoffMaxMs = 1000
const longestSocketTimeoutMs = 10_000
/** Longest time between two polls; the event loop would have to stand still for as long. */
const maxPollIntervalMs = 300_000
/** A partition that was paused joins the next request, so the one before it must not wait for long. */
const fetchWaitMaxMs = 100
const maxPrefetchKbytes = 16_384

/** A producer whose transactions end with the time after which its partitions are given to others.
 *  @param timeoutMs of a transaction */
export function stepProducerConfig(
  connection: KafkaConnection,
  transactionalId: string,
  timeoutMs: number,
): ProducerConfig {
  const socketMs = Math.min(longestSocketTimeoutMs, timeoutMs - 1000)
  const deliveryMs = timeoutMs - 500
  return {
    global: {
      'client.id': 'fhir-kafka',
      'reconnect.backoff.max.ms': reconnectBackoffMaxMs,
      ...connection,
      'socket.timeout.ms': socketMs,
      'enable.idempotence': true,
      'message.max.bytes': maxMessageBytes,
      'topic.metadata.propagation.max.ms': transactionPropagationMs,
      ...pagePaceProperties,
      ...transactionalProperties(transactionalId, timeoutMs),
    },
    topic: topicProperties(deliveryMs, socketMs),
    maxBlockMs: timeoutMs,
    deliveryTimeoutMs: deliveryMs,
    maxRequestSizeBytes: maxMessageBytes,
    maxBufferedBytes: maxMessageBytes,
    transactionalId,
    transactionTimeoutMs: timeoutMs,
    clientCertificate: undefined,
    keyStoreSha256: undefined,
  }
}

/** Of a consumer that commits nothing itself and reads nothing that is not committed. */
export function readerSettings(connection: KafkaConnection, group: string): KafkaConnection {
  return {
    'client.id': 'fhir-kafka',
    'reconnect.backoff.max.ms': reconnectBackoffMaxMs,
    ...connection,
    'group.id': group,
    'enable.auto.commit': false,
    'enable.auto.offset.store': false,
    // Also has it wait for the open transaction of whoever had the partition before, whose offset may still be committed.
    'isolation.level': 'read_committed',
    'fetch.wait.max.ms': fetchWaitMaxMs,
    'queued.max.messages.kbytes': maxPrefetchKbytes,
  }
}

/** Of a member of a group.
 *  @param instanceId a name that it keeps over restarts */
export function memberSettings(
  connection: KafkaConnection,
  group: string,
  sessionTimeoutMs: number,
  instanceId: string | undefined,
): KafkaConnection {
  return {
    ...readerSettings(connection, group),
    // Others keep what they have while somebody joins or leaves.
    'partition.assignment.strategy': 'cooperative-sticky',
    'session.timeout.ms': sessionTimeoutMs,
    'heartbeat.interval.ms': Math.min(3000, Math.floor(sessionTimeoutMs / 3)),
    'max.poll.interval.ms': Math.max(maxPollIntervalMs, sessionTimeoutMs),
    ...(instanceId === undefined ? {} : { 'group.instance.id': instanceId }),
  }
}
