import type { TopicDestinationError } from '../errors.ts'
import type { KafkaCause } from './kafka-causes.ts'
import type { CheckpointPlace } from './checkpoint-place.ts'

/** One header: one name, one text. In this form node-rdkafka takes it, so that nothing is converted while a transaction is open. */
export type KafkaHeader = Readonly<Record<string, string>>

/** One record to write. Header order is kept. */
export interface KafkaRecord {
  readonly kafkaTopic: string
  /** `null`: no key, the partitioner spreads. */
  readonly key: string | null
  readonly value: Buffer
  readonly headers: readonly KafkaHeader[]
}

/** What to do after a failure.
 *  - `retriable`: nothing of this attempt is committed; try again after back-off, for ever (broker down, unknown topic, missing right, quota).
 *  - `poison`: `poisonIndexes` of the records can never be delivered (too large, invalid); the others can.
 *  - `fenced`: another producer with the same transactional.id took over.
 *  - `fatal`: this producer is dead; make a new one. Outcome of the attempt unknown.
 *  - `no-checkpoint`: the principal may not keep a checkpoint; nothing of this attempt is committed, without one it can be. */
export const kafkaErrorKinds = ['retriable', 'poison', 'fenced', 'fatal', 'no-checkpoint'] as const
export type KafkaErrorKind = (typeof kafkaErrorKinds)[number]

/** Thrown or reported by producers. `message` names the cause in words for an operator; never a secret, never a payload. */
export interface KafkaError extends TopicDestinationError {
  readonly kind: KafkaErrorKind
  /** librdkafka's error code, when one is known. */
  readonly kafkaCode: number | undefined
  readonly poisonIndexes: readonly number[]
}

/** Best effort: idempotent producer, shared by every destination of the same connection. */
export interface IdempotentProducer {
  /** Hands the record over and returns at once. `settled` is called exactly once: without an error when the broker has
   *  acknowledged, with one when it never will; until then the process does not end by itself. Never throws.
   *  Never blocks; while not connected or the queue is full, records wait in memory within `maxBufferedBytes`, then are settled with an error. */
  send(record: KafkaRecord, settled: (error?: KafkaError) => void): void
  /** Waits up to `timeoutMs` for outstanding records, settles the rest with an error, disconnects. A later call can only shorten the time. */
  close(timeoutMs: number): Promise<void>
}

/** At least once: one producer per lane. */
export interface PageProducer {
  /** Connects. A transactional one runs initTransactions: that fences any older producer of the same transactional.id and completes or aborts
   *  its transaction.
   *  @throws {@link KafkaError} */
  start(): Promise<void>
  /** Writes all records; resolves when Kafka has them. A transactional producer writes them in one Kafka transaction.
   *
   *  `beforeCommit` is called before the records can be read by consumers, and possibly again when the attempt is repeated; they become readable
   *  when it resolves. When it rejects, none does, and the rejection is passed on. It answers the checkpoint that is to be committed with
   *  the records: a whole number below 2^53; undefined for none.
   *
   *  On a rejection of kind `retriable`, `poison` or `no-checkpoint` the producer can be used again, and a transactional one has made none of the
   *  records readable; after `fenced` or `fatal` it cannot: `close` it, and the outcome is unknown.
   *  @throws {@link KafkaError} */
  sendPage(
    records: readonly KafkaRecord[],
    beforeCommit?: () => Promise<number | undefined>,
  ): Promise<void>
  /** Kafka topic on which checkpoints stand; undefined when there are none. */
  readonly checkpointTopic: string | undefined
  /** The checkpoint that was committed last; undefined when there is none. Waits for a transaction of another producer that is still open.
   *  @param kafkaTopic on which it stood before
   *  @default checkpointTopic
   *  @throws {@link KafkaError} `no-checkpoint`, or `retriable` when the cluster does not answer */
  readCheckpoint(kafkaTopic?: string): Promise<number | undefined>
  /** Whether checkpoints can be written: writes one and aborts it. Needs a producer that was started.
   *  @throws {@link KafkaError} `no-checkpoint` */
  probeCheckpoint(): Promise<void>
  /** May come at any time: a call under way has `timeoutMs`, then it is given up as `fatal`. A later call can only shorten the time. Never rejects. */
  close(timeoutMs: number): Promise<void>
}

export interface ProducerOptions {
  /** Gets causes seen outside a call, in words, the same at most once a minute. */
  readonly onError?: (message: string, cause: KafkaCause) => void
  /** Where checkpoints are kept; absent: there are none. */
  readonly checkpoint?: CheckpointPlace
}
