import type { KafkaConsumer } from 'node-rdkafka'
import type { CheckpointPlace } from './checkpoint-place.ts'
import { committedOffset } from './committed-offset.ts'
import { connectionSettingsOf } from './connection-key.ts'
import type { ProducerConfig } from './producer-config.ts'
import { NativeCalls } from './native-calls.ts'
import { nativeFailure } from './native-failure.ts'
import { rdkafka } from './rdkafka-binding.ts'

const disconnectTimeoutMs = 3000

/** A consumer that never subscribes. The producer needs it to name the group; beside that it reads the group's committed offset. */
export class CheckpointConsumer {
  readonly #consumer: KafkaConsumer
  readonly #calls: NativeCalls
  readonly #place: CheckpointPlace

  /** @throws {@link Error} when librdkafka refuses the configuration */
  constructor(config: ProducerConfig, place: CheckpointPlace) {
    this.#place = place
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
    this.#calls = new NativeCalls(this.#consumer, config, () => undefined)
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
      await this.#calls.connect(timeoutMs, calledOff)
    } catch (error) {
      throw nativeFailure(error)
    }
  }

  /** As {@link committedOffset}. */
  async committed(kafkaTopic: string, timeoutMs: number): Promise<number | undefined> {
    return committedOffset(this.#consumer, this.#calls, partitionOf(kafkaTopic), timeoutMs)
  }

  /** Never rejects. */
  async disconnect(): Promise<void> {
    await this.#calls.disconnect((done) => this.#consumer.disconnect(done), disconnectTimeoutMs)
  }
}

function partitionOf(topic: string): { readonly topic: string; readonly partition: number } {
  return { topic, partition: 0 }
}
