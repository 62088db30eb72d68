import { TopicDestinationError, isTopicDestinationError } from '../errors.ts'
import type { KafkaError, KafkaErrorKind } from './producer.ts'

export interface KafkaFailureDetails {
  readonly kafkaCode?: number | undefined
  readonly poisonIndexes?: readonly number[]
  readonly cause?: unknown
}

/** The one class behind {@link KafkaError}. `code` is always `KTD_KAFKA`. */
export class KafkaFailure extends TopicDestinationError implements KafkaError {
  override readonly name: string = 'KafkaFailure'
  readonly kind: KafkaErrorKind
  readonly kafkaCode: number | undefined
  readonly poisonIndexes: readonly number[]

  constructor(kind: KafkaErrorKind, message: string, details: KafkaFailureDetails = {}) {
    super('KTD_KAFKA', message, { cause: details.cause })
    this.kind = kind
    this.kafkaCode = details.kafkaCode
    this.poisonIndexes = details.poisonIndexes ?? []
  }
}

export function isKafkaError(error: unknown): error is KafkaError {
  return isTopicDestinationError(error) && 'kind' in error && 'poisonIndexes' in error
}

/** librdkafka's numbers this module acts on. Negative ones are its own, the others are Kafka's. */
export const kafkaCodes = {
  noError: 0,
  unknownTopic: 3,
  messageTooLarge: 10,
  batchTooLarge: 18,
  topicAuthorization: 29,
  groupAuthorization: 30,
  outOfOrderSequence: 45,
  invalidProducerEpoch: 47,
  invalidRecord: 87,
  producerFenced: 90,
  fenced: -144,
  fatal: -150,
  purgedInFlight: -151,
  purgedInQueue: -152,
  state: -172,
  coordinatorAwaited: -180,
  queueFull: -184,
  timedOut: -185,
  allBrokersDown: -187,
  unknownTopicLocal: -188,
  recordTimedOut: -192,
  transport: -195,
} as const

const unansweredCodes: ReadonlySet<number | undefined> = new Set<number>([
  kafkaCodes.coordinatorAwaited,
  kafkaCodes.timedOut,
  kafkaCodes.recordTimedOut,
  kafkaCodes.transport,
  kafkaCodes.allBrokersDown,
])

/** Whether the cluster just did not answer. */
export function isUnanswered(code: number | undefined): boolean {
  return unansweredCodes.has(code)
}

export interface KafkaErrorContext {
  readonly kafkaTopic?: string | undefined
  readonly transactionalId?: string | undefined
}

/** One sentence for an operator: what went wrong and what to look at. Holds no secret and no record content.
 *  @param text librdkafka's own words, used where the code says nothing */
export function describeKafkaCode(
  code: number | undefined,
  text: string,
  { kafkaTopic, transactionalId }: KafkaErrorContext = {},
): string {
  const topic = kafkaTopic === undefined ? 'the Kafka topic' : `Kafka topic "${kafkaTopic}"`
  const id =
    transactionalId === undefined ? 'the transactional.id' : `transactional.id "${transactionalId}"`
  const sentence = code === undefined ? undefined : sentences(topic, id)[code]
  return sentence ?? `Kafka: ${text}${code === undefined ? '' : ` (code ${code})`}.`
}

function sentences(topic: string, id: string): Readonly<Record<number, string>> {
  const noTopic = `Unknown topic: ${topic} does not exist and the cluster does not create it.`
  const tooLarge = `Message too large: the record exceeds maxRequestSize, or max.message.bytes of ${topic}.`
  const oldEpoch = `Another producer with ${id} has taken over, or the transaction expired on the broker.`
  return {
    3: noTopic,
    7: 'The Kafka broker did not finish the request in time.',
    10: tooLarge,
    14: 'The Kafka transaction coordinator is still loading.',
    15: 'The Kafka transaction coordinator is not available; on a cluster of fewer than three brokers check transaction.state.log.replication.factor.',
    18: tooLarge,
    19: `Too few replicas of ${topic} are in sync (min.insync.replicas).`,
    20: `Too few replicas of ${topic} are in sync (min.insync.replicas).`,
    29: `Topic authorization failed: the Kafka principal may not write to ${topic}; it needs Write and Describe.`,
    30: 'Group authorization failed: the Kafka principal needs Read on the consumer group.',
    31: 'Cluster authorization failed: the Kafka principal needs Write on the topic (brokers before Kafka 3.0: IdempotentWrite on the cluster).',
    33: 'The Kafka broker does not offer this saslMechanism.',
    44: `A policy of the Kafka cluster refuses records for ${topic}.`,
    45: 'Kafka skipped sequence numbers of this producer, because an earlier batch failed.',
    47: oldEpoch,
    48: 'Kafka refused to end the transaction: it was in another state.',
    50: 'transaction.timeout.ms is larger than the broker allows (transaction.max.timeout.ms).',
    53: `Transactional id authorization failed: the Kafka principal needs Write and Describe on ${id}.`,
    58: 'The Kafka broker refused the login.',
    87: `Invalid record: the broker refuses the record for ${topic}, for example a compacted topic without keys.`,
    89: 'A Kafka quota is exceeded.',
    90: oldEpoch,
    [-144]: oldEpoch,
    [-181]: 'The TLS connection to Kafka failed.',
    [-184]: 'Too many records are waiting for Kafka.',
    [-185]: 'Kafka did not answer in time.',
    [-187]: 'No Kafka broker can be reached.',
    [-188]: noTopic,
    [-189]: `${topic} has no such partition.`,
    [-190]: `${topic} has no such partition.`,
    [-192]: `Kafka did not acknowledge a record for ${topic} within deliveryTimeoutMs.`,
    [-193]: 'The host name of a Kafka broker cannot be resolved.',
    [-195]: 'No Kafka broker can be reached at bootstrapServers.',
  }
}
