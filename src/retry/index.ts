export type { Attempt, GivenUp, HandledRecord, RetryHandler } from './attempt.ts'
export type { DeadLetter, DeadLetterTopic } from './dead-letters/dead-letter-topic.ts'
export {
  listDeadLetters,
  purgeDeadLetters,
  readDeadLetters,
  type DeadLetterListing,
  type DeadLetterOptions,
  type ReadOptions,
} from './dead-letters/dead-letters.ts'
export { redriveDeadLetters, type Redrive } from './dead-letters/redrive.ts'
export { kafkaConnection } from './kafka-connection.ts'
export type { OutgoingRecord, RecordHeader, RecordPlace } from './record.ts'
export { retryChannelName, type RetryEvent } from './retry-events.ts'
export { retryHeaders, type RetryHeader, type RetryState } from './retry-headers.ts'
export type { RetryOptions } from './retry-options.ts'
export type { KafkaConnection } from './retry-settings.ts'
export { retryingConsumer, type RetryingConsumer } from './retrying-consumer.ts'
