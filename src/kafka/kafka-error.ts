import { TopicDestinationError, isTopicDestinationError } from '../errors.ts'
import { causeOfCode, type CauseContext } from './kafka-causes.ts'
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
  unknownTopic: 3,
  messageTooLarge: 10,
  batchTooLarge: 18,
  topicAuthorization: 29,
  groupAuthorization: 30,
  outOfOrderSequence: 45,
  invalidRecord: 87,
  fenced: -144,
  fatal: -150,
  purgedInFlight: -151,
  purgedInQueue: -152,
  state: -172,
  coordinatorAwaited: -180,
  queueFull: -184,
  timedOut: -185,
  allBrokersDown: -187,
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

/** One sentence for an operator: what went wrong and what to look at. Holds no secret and no record content.
 *  @param text librdkafka's own words, used where the code says nothing */
export function describeKafkaCode(
  code: number | undefined,
  text: string,
  context: CauseContext = {},
): string {
  return causeOfCode(code, text, context).message
}
