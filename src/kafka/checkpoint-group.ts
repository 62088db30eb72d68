import { setTimeout as delay } from 'node:timers/promises'
import type { CauseReporter } from './cause-reporter.ts'
import { isKafkaError, kafkaCodes, KafkaFailure } from './kafka-error.ts'
import { nativeFailure, type NativeFailure } from './native-failure.ts'
import type { ProducerConfig } from './producer-config.ts'
import type { CheckpointPlace } from './checkpoint-place.ts'
import { CheckpointConsumer } from './rdkafka-checkpoint.ts'
import type { TransactionCalls } from './transaction-calls.ts'

const connectTimeoutMs = 3000
const readSliceMs = 1000
const readRetryMs = 50
/** After so many unanswered reads in a row, and then after each ten, the producer asks whether there is a right to be answered. Not at once: the
 *  coordinator of a new group may be on its way, and asking before it is there may not end. */
const readsBeforeProbe = 3
const readsPerProbe = 10

/** An offset needs Read on the group, and Read on its topic as well. */
const rights: ReadonlySet<number | undefined> = new Set<number>([
  kafkaCodes.topicAuthorization,
  kafkaCodes.groupAuthorization,
])

/** The consumer group of one producer, connected when it is needed first. */
export class CheckpointGroup {
  readonly #config: ProducerConfig
  readonly #place: CheckpointPlace | undefined
  readonly #causes: CauseReporter
  readonly #calledOff: AbortSignal
  #consumer: CheckpointConsumer | undefined
  #unansweredReads = 0

  /** @param calledOff ends the wait for the turn of its connect */
  constructor(
    config: ProducerConfig,
    place: CheckpointPlace | undefined,
    causes: CauseReporter,
    calledOff: AbortSignal,
  ) {
    this.#config = config
    this.#place = place
    this.#causes = causes
    this.#calledOff = calledOff
  }

  /** @throws {@link NativeFailure} */
  async connected(): Promise<CheckpointConsumer> {
    if (this.#consumer) return this.#consumer
    if (!this.#place) throw new RangeError('this producer was made without a place for checkpoints')
    const consumer = new CheckpointConsumer(this.#config, this.#place)
    await consumer.connect(Math.min(this.#config.maxBlockMs, connectTimeoutMs), this.#calledOff)
    this.#consumer = consumer
    return consumer
  }

  /** The error of a failure that says that there is no place or no right for a checkpoint; undefined for any other. */
  refusal({ code }: NativeFailure): KafkaFailure | undefined {
    const { group = '', kafkaTopic = '', isOwnTopic = false } = this.#place ?? {}
    if (code === kafkaCodes.unknownTopic && isOwnTopic) {
      const message = `The Kafka topic "${kafkaTopic}" for checkpoints does not exist, so a crash can send events twice.`
      return new KafkaFailure('no-checkpoint', message, { kafkaCode: code })
    }
    if (!rights.has(code)) return undefined
    return new KafkaFailure(
      'no-checkpoint',
      `The Kafka principal may not keep a checkpoint, so a crash can send events twice; it needs Read on the group "${group}" and Read on the topic "${kafkaTopic}".`,
      { kafkaCode: code },
    )
  }

  /** The committed checkpoint, asked for until it is answered or `maxBlockMs` is over.
   *
   *  Without Describe on the group it is never answered, which looks like a transaction that is still open; the producer is told.
   *  A topic that does not exist has none.
   *  @param probe writes a checkpoint and takes it back
   *  @throws {@link KafkaFailure} `no-checkpoint`, `retriable` */
  async read(
    kafkaTopic: string | undefined,
    calls: TransactionCalls,
    probe: () => Promise<void>,
  ): Promise<number | undefined> {
    const deadlineMs = performance.now() + this.#config.maxBlockMs
    for (;;) {
      try {
        const consumer = await this.connected()
        const topic = kafkaTopic ?? consumer.partition.topic
        const offset = await consumer.committed(topic, readSliceMs)
        this.#unansweredReads = 0
        return offset
      } catch (error) {
        const failure = nativeFailure(error)
        const refusal = this.refusal(failure)
        if (refusal) throw refusal
        if (failure.code === kafkaCodes.unknownTopic) return undefined
        if (calls.isGivenUp) throw this.#unreadable(failure)
        if (this.#consumer) this.#unansweredReads++
        const isProbed = this.#unansweredReads % readsPerProbe === readsBeforeProbe
        if (this.#consumer && isProbed && !(await isThere(probe))) return undefined
        if (calls.isPast(deadlineMs)) throw this.#unreadable(failure)
        await delay(readRetryMs)
      }
    }
  }

  /** Never rejects. */
  async disconnect(): Promise<void> {
    await this.#consumer?.disconnect()
  }

  #unreadable(failure: NativeFailure): KafkaFailure {
    const cause = this.#causes.explained(failure)
    return new KafkaFailure('retriable', `The checkpoint could not be read. ${cause}`, {
      kafkaCode: failure.code,
    })
  }
}

/** False when the topic does not exist: Kafka may create it with the first record. */
async function isThere(probe: () => Promise<void>): Promise<boolean> {
  try {
    await probe()
    return true
  } catch (error) {
    if (!isKafkaError(error) || error.kind === 'no-checkpoint') throw error
    if (error.kafkaCode === kafkaCodes.unknownTopic) return false
    throw error
  }
}
