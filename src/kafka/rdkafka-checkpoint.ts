import type { KafkaConsumer } from 'node-rdkafka'
import { blockingCalls } from './blocking-calls.ts'
import type { ProducerConfig } from './producer-config.ts'
import { nativeFailure } from './native-failure.ts'
import { rdkafka } from './rdkafka-binding.ts'

/** Where a transactional producer keeps its checkpoint: an offset of a group that nobody consumes with. */
export interface CheckpointPlace {
  readonly group: string
  readonly kafkaTopic: string
  /** The topic holds no records: it is there for checkpoints alone, and may be missing although there is something to send. */
  readonly isOwnTopic: boolean
}

/** Settings of the connection, which consumer and producer share. */
const sharedSettings =
  /^(?:client\.id|bootstrap\.servers|security\.|sasl\.|ssl\.|socket\.|reconnect\.)/
const disconnectTimeoutMs = 3000

/** A consumer that never subscribes. The producer needs it to name the group; beside that it reads the group's committed offset. */
export class CheckpointConsumer {
  readonly #consumer: KafkaConsumer
  readonly #cluster: string
  readonly #place: CheckpointPlace

  /** @throws {@link Error} when librdkafka refuses the configuration */
  constructor(config: ProducerConfig, place: CheckpointPlace) {
    this.#place = place
    this.#cluster = String(config.global['bootstrap.servers'])
    const shared = Object.entries(config.global).filter(([name]) => sharedSettings.test(name))
    this.#consumer = new rdkafka.KafkaConsumer(
      {
        ...Object.fromEntries(shared),
        'group.id': place.group,
        'enable.auto.commit': false,
        // Waits for an open transaction; else the offset before it would be the answer.
        'isolation.level': 'read_committed',
      },
      {},
    )
    this.#consumer.on('event.error', () => undefined)
  }

  /** For `sendOffsetsToTransaction`. */
  get handle(): KafkaConsumer {
    return this.#consumer
  }

  get partition(): { readonly topic: string; readonly partition: number } {
    return partitionOf(this.#place.kafkaTopic)
  }

  /** @param calledOff ends the wait for its turn
   *  @throws {@link NativeFailure} */
  async connect(timeoutMs: number, calledOff: AbortSignal): Promise<void> {
    const call = (): Promise<void> =>
      new Promise((resolve, reject) => {
        this.#consumer.connect({ timeout: timeoutMs }, (error) => {
          // The types promise an error; without one it is null.
          if (error as unknown) reject(nativeFailure(error))
          else resolve()
        })
      })
    await blockingCalls.run('connect', this.#cluster, call, calledOff)
  }

  /** The offset that is committed on the topic; undefined when there is none. Without Describe on the group it times out.
   *  @throws {@link NativeFailure} */
  async committed(kafkaTopic: string, timeoutMs: number): Promise<number | undefined> {
    return blockingCalls.run('request', this.#cluster, async () => {
      const answers = await new Promise<readonly unknown[]>((resolve, reject) => {
        this.#consumer.committed([partitionOf(kafkaTopic)], timeoutMs, (error, partitions) => {
          if (error as unknown) reject(nativeFailure(error))
          else resolve(partitions)
        })
      })
      const [answer] = answers
      // An error of the partition stands in the list, and its missing offset would read as "none".
      if (answer instanceof Error) throw nativeFailure(answer)
      if (typeof answer !== 'object' || answer === null) throw nativeFailure('no answer')
      const { offset } = answer as { offset?: unknown }
      return typeof offset === 'number' ? offset : undefined
    })
  }

  /** Never rejects. */
  async disconnect(): Promise<void> {
    await blockingCalls.run('local', this.#cluster, async () => {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, disconnectTimeoutMs)
        this.#consumer.disconnect(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    })
  }
}

function partitionOf(topic: string): { readonly topic: string; readonly partition: number } {
  return { topic, partition: 0 }
}
