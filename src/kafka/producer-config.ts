import { TopicDestinationError } from '../errors.ts'
import { everyServer, serverTexts, type IsServerAllowed } from './bootstrap-servers.ts'
import type { KeyStore } from './key-store.ts'
import type { KafkaParameterValues } from './parameter-table.ts'
import { parameterFaults } from './parameter-faults.ts'
import { pemCertificates, pemPrivateKey } from './pem.ts'
import {
  pagePaceProperties,
  topicProperties,
  transactionalProperties,
  transactionPropagationMs,
} from './producer-properties.ts'
import { saslLogin } from './sasl/sasl-login.ts'
import { systemAuthorityProperties } from './system-authorities.ts'
import type { TokenRequest } from './tokens/token-request.ts'

/** node-rdkafka's two arguments and what this module itself needs. Holds secrets in clear: never log it. */
export interface ProducerConfig {
  readonly global: Readonly<Record<string, string | number | boolean>>
  /** Second argument of `new Producer`: node-rdkafka silently drops topic-level properties in the first. */
  readonly topic: Readonly<Record<string, string | number | boolean>>
  /** How its clients get the tokens that they log in with; absent: they need none of this module. */
  readonly tokens?: TokenRequest
  /** Longest wait for cluster metadata or the transaction coordinator. */
  readonly maxBlockMs: number
  readonly deliveryTimeoutMs: number
  readonly maxRequestSizeBytes: number
  /** Best effort: bound of everything that is handed over and not settled. */
  readonly maxBufferedBytes: number
  readonly transactionalId: string | undefined
  readonly transactionTimeoutMs: number
  /** Content of the key store that librdkafka reads; another one is another configuration. */
  readonly keyStoreSha256: string | undefined
  /** What the client shows, in PEM form; undefined also where Node does not tell what is in a key store. */
  readonly clientCertificate: string | undefined
}

export type ProducerKind = 'best-effort' | 'at-least-once'

/** Java's default of transaction.timeout.ms. */
const transactionTimeoutMs = 60_000
const leastBufferedBytes = 32 * 1024 * 1024
/** Room for the largest page and its headers. */
const leastTransactionQueueBytes = 128 * 1024 * 1024
const defaultMaxRequestSizeBytes = 1_048_576
const bestEffortLingerMs = 20
const maxSocketTimeoutMs = 300_000
const maxAckTimeoutMs = 900_000
const maxPropagationMs = 3_600_000

/** Maps the parameters of a destination to librdkafka. Defaults are Java's where librdkafka has others.
 *  @param transactionalId of at least once; absent: pages are sent without transactions
 *  @param isAllowed asked again about every server: what was allowed when the destination was written may not be any more
 *  @throws {@link TopicDestinationError} `KTD_INVALID_PARAMETER` naming the parameter, when a value cannot be used */
export function toProducerConfig(
  values: KafkaParameterValues,
  kind: ProducerKind,
  transactionalId?: string,
  isAllowed: IsServerAllowed = everyServer,
): ProducerConfig {
  const [fault] = parameterFaults(values, undefined, isAllowed)
  if (fault) {
    throw new TopicDestinationError('KTD_INVALID_PARAMETER', fault.message, {
      expression: `AidboxTopicDestination.parameter.where(name = '${fault.parameter}')`,
    })
  }
  const login = saslLogin(values)
  const timeouts = timeoutsOf(values, kind)
  const maxBlockMs = values.maxBlockMs ?? 60_000
  const maxRequestSizeBytes = values.maxRequestSize ?? defaultMaxRequestSizeBytes
  // A record that fits into a request must fit into an empty buffer.
  const maxBufferedBytes = Math.max(leastBufferedBytes, maxRequestSizeBytes)
  const keyStore = typeof values.sslKeystoreKey === 'object' ? values.sslKeystoreKey : undefined
  return {
    global: {
      ...commonProperties(values, timeouts, maxBlockMs),
      ...securityProperties(values),
      ...login?.properties,
      ...(kind === 'best-effort'
        ? bestEffortProperties(maxBufferedBytes, timeouts.deliveryMs)
        : pageProperties(transactionalId, maxBlockMs, maxRequestSizeBytes)),
    },
    topic: topicProperties(timeouts.deliveryMs, timeouts.ackMs),
    ...(login?.tokens ? { tokens: login.tokens } : {}),
    maxBlockMs,
    deliveryTimeoutMs: timeouts.deliveryMs,
    maxRequestSizeBytes,
    maxBufferedBytes,
    transactionalId: kind === 'at-least-once' ? transactionalId : undefined,
    transactionTimeoutMs,
    keyStoreSha256: keyStore?.sha256,
    clientCertificate: keyStore?.certificate ?? clientCertificateOf(values),
  }
}

interface Timeouts {
  readonly deliveryMs: number
  readonly socketMs: number
  readonly ackMs: number
}

/** Inside a transaction nothing may outlast the transaction itself; librdkafka refuses it at connect. */
function timeoutsOf(values: KafkaParameterValues, kind: ProducerKind): Timeouts {
  const ackMs = Math.min(values.requestTimeoutMs ?? 30_000, maxAckTimeoutMs)
  if (kind === 'best-effort') {
    return {
      deliveryMs: values.deliveryTimeoutMs ?? 120_000,
      socketMs: Math.min(values.requestTimeoutMs ?? 30_000, maxSocketTimeoutMs),
      ackMs,
    }
  }
  const longestMs = transactionTimeoutMs - 1000
  return {
    deliveryMs: Math.min(values.deliveryTimeoutMs ?? 30_000, longestMs),
    socketMs: Math.min(values.requestTimeoutMs ?? 10_000, longestMs),
    ackMs,
  }
}

type Properties = Record<string, string | number | boolean>

function commonProperties(
  values: KafkaParameterValues,
  timeouts: Timeouts,
  maxBlockMs: number,
): Properties {
  return {
    'client.id': 'fhir-topic-destination-kafka',
    'bootstrap.servers': serverTexts(values.bootstrapServers).join(','),
    'enable.idempotence': true,
    'message.max.bytes': values.maxRequestSize ?? defaultMaxRequestSizeBytes,
    'socket.timeout.ms': timeouts.socketMs,
    'socket.keepalive.enable': true,
    'reconnect.backoff.max.ms': 1000,
    'topic.metadata.propagation.max.ms': Math.min(maxBlockMs, maxPropagationMs),
    ...(values.compressionType === undefined ? {} : { 'compression.type': values.compressionType }),
    ...batchProperties(values.batchSize),
  }
}

/** Java's 0 means "no batching"; librdkafka starts at 1 byte. */
function batchProperties(batchSize: number | undefined): Properties {
  if (batchSize === undefined) return {}
  return batchSize === 0 ? { 'batch.num.messages': 1 } : { 'batch.size': batchSize }
}

function bestEffortProperties(maxBufferedBytes: number, deliveryMs: number): Properties {
  return {
    dr_cb: true,
    // Few large requests: each costs the broker the same, and best effort has no reader who waits. librdkafka refuses a linger that
    // is not shorter than message.timeout.ms.
    'linger.ms': Math.min(bestEffortLingerMs, Math.floor(deliveryMs / 2)),
    'queue.buffering.max.kbytes': Math.ceil(maxBufferedBytes / 1024),
    'queue.buffering.max.messages': 100_000,
  }
}

function pageProperties(
  transactionalId: string | undefined,
  maxBlockMs: number,
  maxRequestSizeBytes: number,
): Properties {
  return {
    ...pagePaceProperties,
    'queue.buffering.max.kbytes': Math.ceil(
      Math.max(leastTransactionQueueBytes, maxRequestSizeBytes) / 1024,
    ),
    'queue.buffering.max.messages': 100_000,
    'topic.metadata.propagation.max.ms': Math.min(maxBlockMs, transactionPropagationMs),
    ...(transactionalId === undefined
      ? plainPageProperties
      : transactionalProperties(transactionalId, transactionTimeoutMs)),
  }
}

const plainPageProperties: Properties = {
  // A page is handed over as a whole; nothing more is to be waited for.
  'linger.ms': 0,
  // No record overtakes one before it that failed; the client is given up instead.
  'enable.gapless.guarantee': true,
  dr_cb: true,
}

function securityProperties(values: KafkaParameterValues): Properties {
  const protocol = (values.securityProtocol ?? 'PLAINTEXT').toUpperCase()
  return {
    'security.protocol': protocol,
    ...(protocol.endsWith('SSL') ? tlsProperties(values) : {}),
  }
}

function tlsProperties(values: KafkaParameterValues): Properties {
  const { sslKeystoreKey, sslTruststoreCertificates = '' } = values
  const authorities = pemCertificates(sslTruststoreCertificates)
  return {
    ...(typeof sslKeystoreKey === 'object'
      ? keyStoreProperties(sslKeystoreKey)
      : keyProperties(values, sslKeystoreKey)),
    ...(authorities.length > 0
      ? { 'ssl.ca.pem': authorities.join('') }
      : systemAuthorityProperties()),
  }
}

function clientCertificateOf({
  sslKeystoreKey,
  sslKeystoreCertificateChain,
}: KafkaParameterValues): string | undefined {
  if (typeof sslKeystoreKey !== 'string') return undefined
  return pemCertificates(sslKeystoreCertificateChain || sslKeystoreKey)[0]
}

function keyStoreProperties({ path, password }: KeyStore): Properties {
  return { 'ssl.keystore.location': path, 'ssl.keystore.password': password }
}

function keyProperties(
  { sslKeystoreCertificateChain, sslKeyPassword }: KafkaParameterValues,
  text = '',
): Properties {
  const key = pemPrivateKey(text)
  if (key === undefined) return {}
  const chain = pemCertificates(sslKeystoreCertificateChain || text)
  return {
    'ssl.key.pem': key,
    'ssl.certificate.pem': chain.join(''),
    ...(sslKeyPassword ? { 'ssl.key.password': sslKeyPassword } : {}),
  }
}
