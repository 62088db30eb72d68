import { setTimeout as delay } from 'node:timers/promises'
import type { KafkaConsumer, LibrdKafkaError, Message, TopicPartition } from 'node-rdkafka'
import { endsWithin } from '../deadline.ts'
import { committedOffset } from '../kafka/committed-offset.ts'
import { kafkaCodes } from '../kafka/kafka-error.ts'
import { NativeCalls } from '../kafka/native-calls.ts'
import { nativeFailure } from '../kafka/native-failure.ts'
import { rdkafka } from '../kafka/rdkafka-binding.ts'
import type { ProducerConfig } from '../kafka/producer-config.ts'
import { Turns } from '../turns.ts'
import { sourceRecord, type RecordPlace, type SourceRecord } from './record.ts'
import type { KafkaConnection } from './retry-settings.ts'

export type Partition = Omit<RecordPlace, 'offset'>

export interface GroupConsumerParts {
  /** As `memberSettings` makes them. */
  readonly settings: KafkaConnection
  /** Of the producer that goes with it: the same connection. */
  readonly producerConfig: ProducerConfig
  readonly topic: string
  readonly onRecord: (record: SourceRecord) => void
  readonly onAssigned: (partitions: readonly Partition[]) => void
  /** Resolves when nothing is committed for them any more. */
  readonly onRevoked: (partitions: readonly Partition[]) => Promise<void>
  readonly onTrouble: (message: string) => void
  /** It can do nothing more. */
  readonly onEnd: (error: Error) => void
}

const connectTimeoutMs = 10_000
const disconnectTimeoutMs = 10_000
const committedTimeoutMs = 10_000
const maxRecordsAtOnce = 200
const idleMs = 15
const afterErrorMs = 1000
/** The group waits for a member that gives partitions away. */
const revokeTimeoutMs = 20_000

/** A member of a consumer group that reads as fast as its partitions are not paused, and gives partitions away when they are let go of. */
export class GroupConsumer {
  /** For `sendOffsetsToTransaction`, which gives Kafka the generation of the member. */
  readonly handle: KafkaConsumer
  readonly #parts: GroupConsumerParts
  readonly #calls: NativeCalls
  #reading: Promise<unknown> = Promise.resolve()
  readonly #rebalances = new Turns()
  #loop: Promise<void> | undefined
  #isStopped = false

  /** @throws {@link Error} when librdkafka refuses the configuration */
  constructor(parts: GroupConsumerParts) {
    this.#parts = parts
    this.handle = new rdkafka.KafkaConsumer(
      {
        ...parts.settings,
        rebalance_cb: (event: LibrdKafkaError | undefined, partitions: TopicPartition[]) => {
          this.#rebalances
            .take(() => this.#rebalance(event?.code, partitions))
            .catch((failure: unknown) => {
              parts.onTrouble(`A rebalance failed: ${nativeFailure(failure).text}.`)
            })
        },
      },
      { 'auto.offset.reset': 'earliest' },
    )
    this.handle.on('event.error', () => undefined)
    // Nothing is waited for: an empty queue is asked again, and a thread that waits here is missing elsewhere.
    this.handle.setDefaultConsumeTimeout(0)
    this.#calls = new NativeCalls(this.handle, parts.producerConfig, () => undefined)
  }

  /** @throws {@link NativeFailure} */
  async start(calledOff: AbortSignal): Promise<void> {
    await this.#calls.connect(connectTimeoutMs, calledOff)
    this.handle.subscribe([this.#parts.topic])
    this.#loop = this.#read()
  }

  pause(partition: Partition): void {
    this.#whileConnected(() => {
      this.handle.pause([partition])
    })
  }

  resume(partition: Partition): void {
    this.#whileConnected(() => {
      this.handle.resume([partition])
    })
  }

  /** The group's offset, once no transaction is open that could change it; undefined when there is none.
   *  @throws {@link NativeFailure} */
  async committed(partition: Partition): Promise<number | undefined> {
    return committedOffset(this.handle, this.#calls, partition, committedTimeoutMs)
  }

  /** Reads nothing more; the group still gives its partitions to nobody else. */
  async stopReading(): Promise<void> {
    this.#isStopped = true
    await this.#loop
    await this.#rebalances.ended()
  }

  /** Leaves the group. Never rejects. */
  async close(): Promise<void> {
    await this.stopReading()
    if (!this.handle.isConnected()) return
    await this.#calls.disconnect((done) => this.handle.disconnect(done), disconnectTimeoutMs)
  }

  async #read(): Promise<void> {
    while (!this.#isStopped) {
      // What one call gives belongs to the partitions as they are when it returns.
      await this.#rebalances.ended()
      try {
        const messages = this.#consume()
        this.#reading = messages.catch(() => undefined)
        for (const message of await messages) this.#parts.onRecord(sourceRecord(message))
        if ((await messages).length === 0) await delay(idleMs)
      } catch (error) {
        const failure = nativeFailure(error)
        if (failure.code === kafkaCodes.fatal || failure.isFatal) {
          this.#isStopped = true
          this.#parts.onEnd(failure)
          return
        }
        this.#parts.onTrouble(`Records cannot be read: ${failure.text}.`)
        await delay(afterErrorMs)
      }
    }
  }

  async #consume(): Promise<Message[]> {
    return new Promise((resolve, reject) => {
      this.handle.consume(maxRecordsAtOnce, (error, messages) => {
        if (error as unknown) reject(nativeFailure(error))
        else resolve(messages)
      })
    })
  }

  async #rebalance(code: number | undefined, partitions: readonly TopicPartition[]): Promise<void> {
    // A call that has begun before may still give records of a partition that goes and comes back.
    await this.#reading
    if (code === rdkafka.CODES.ERRORS.ERR__ASSIGN_PARTITIONS) {
      this.#parts.onAssigned(partitions)
      this.handle.incrementalAssign([...partitions])
    } else {
      await endsWithin(this.#parts.onRevoked(partitions), revokeTimeoutMs)
      this.handle.incrementalUnassign([...partitions])
    }
  }

  #whileConnected(call: () => void): void {
    try {
      if (this.handle.isConnected()) call()
    } catch {
      // The partition has been given away meanwhile.
    }
  }
}
