import type { KafkaConsumer } from 'node-rdkafka'
import { blockingCalls, type BlockingCallKind } from './blocking-calls.ts'
import type { CheckpointPlace } from './checkpoint-place.ts'
import { connectionKey, connectionSettingsOf } from './connection-key.ts'
import type { ProducerConfig } from './producer-config.ts'
import { nativeFailure } from './native-failure.ts'
import { rdkafka } from './rdkafka-binding.ts'
import { ClientLogin } from './tokens/client-login.ts'

const disconnectTimeoutMs = 3000

/** A consumer that never subscribes. The producer needs it to name the group; beside that it reads the group's committed offset. */
export class CheckpointConsumer {
  readonly #consumer: KafkaConsumer
  readonly #connectionKey: string
  readonly #place: CheckpointPlace
  readonly #login: ClientLogin | undefined

  /** @throws {@link Error} when librdkafka refuses the configuration */
  constructor(config: ProducerConfig, place: CheckpointPlace) {
    this.#place = place
    this.#connectionKey = connectionKey(config)
    this.#consumer = new rdkafka.KafkaConsumer(
      {
        ...connectionSettingsOf(config),
        'group.id': place.group,
        'enable.auto.commit': false,
        // Waits for an open transaction; else the offset before it would be the answer.
        'isolation.level': 'read_committed',
      },
      {},
    )
    this.#consumer.on('event.error', () => undefined)
    // Why there is no token is told by the producer's client.
    this.#login = config.tokens && new ClientLogin(this.#consumer, config.tokens, () => undefined)
  }

  /** For `sendOffsetsToTransaction`. */
  get handle(): KafkaConsumer {
    return this.#consumer
  }

  get partition(): { readonly topic: string; readonly partition: number } {
    return partitionOf(this.#place.kafkaTopic)
  }

  /** @param calledOff ends the wait for a token and for its turn
   *  @throws {@link NativeFailure} */
  async connect(timeoutMs: number, calledOff: AbortSignal): Promise<void> {
    try {
      await this.#login?.begin(calledOff)
      await this.#connect(timeoutMs, calledOff)
    } catch (error) {
      this.#login?.end()
      throw nativeFailure(error)
    }
  }

  async #connect(timeoutMs: number, calledOff: AbortSignal): Promise<void> {
    const call = (): Promise<void> =>
      new Promise((resolve, reject) => {
        this.#consumer.connect({ timeout: timeoutMs }, (error) => {
          // The types promise an error; without one it is null.
          if (error as unknown) reject(nativeFailure(error))
          else resolve()
        })
      })
    await this.#call('connect', call, calledOff)
  }

  /** The offset that is committed on the topic; undefined when there is none. Without Describe on the group it times out.
   *  @throws {@link NativeFailure} */
  async committed(kafkaTopic: string, timeoutMs: number): Promise<number | undefined> {
    return this.#call('request', async () => {
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

  async #call<Result>(
    kind: BlockingCallKind,
    call: () => Promise<Result>,
    calledOff?: AbortSignal,
  ): Promise<Result> {
    return blockingCalls.run(
      kind,
      this.#connectionKey,
      () => (this.#login ? this.#login.during(call) : call()),
      calledOff,
    )
  }

  /** Never rejects. */
  async disconnect(): Promise<void> {
    this.#login?.end()
    await blockingCalls.run('local', this.#connectionKey, async () => {
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
