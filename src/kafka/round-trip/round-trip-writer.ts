import { unlessAborted } from '../../deadline.ts'
import { CauseReporter } from '../cause-reporter.ts'
import type { NativeError } from '../native-failure.ts'
import type { ProducerConfig } from '../producer-config.ts'
import { RdkafkaClient, type RecordPlace } from '../rdkafka-client.ts'
import { roundTripFailure } from './round-trip-failure.ts'

const pollIntervalMs = 5

type Settle = (error: NativeError | undefined, place: RecordPlace) => void

/** The side of a round trip that writes. Every call rejects with a KafkaFailure that says why, at the latest when the signal is aborted. */
export class RoundTripWriter {
  readonly #config: ProducerConfig
  readonly #causes = new CauseReporter(() => undefined)
  #client: RdkafkaClient | undefined
  #connected: Promise<void> | undefined

  /** @param config made with kind `best-effort` */
  constructor(config: ProducerConfig) {
    this.#config = {
      ...config,
      global: {
        ...config.global,
        // A single record, which no broker must have a right on the cluster for.
        'enable.idempotence': false,
        'linger.ms': 0,
      },
    }
  }

  async connect(timeoutMs: number, over: AbortSignal): Promise<void> {
    try {
      this.#client = new RdkafkaClient(this.#config, this.#causes, (opaque, failure, place) => {
        // What `write` has handed over.
        const settle = opaque as Settle
        settle(failure?.error, place)
      })
      this.#connected = this.#client.connect(timeoutMs, over)
      await unlessAborted(this.#connected, over)
    } catch (error) {
      throw roundTripFailure(error, this.#causes)
    }
  }

  /** @returns where the record is, when all replicas that are in sync have it */
  async write(kafkaTopic: string, text: string, over: AbortSignal): Promise<RecordPlace> {
    const client = this.#client
    if (!client) throw new RangeError('write() before connect()')
    const polling = setInterval(() => {
      client.poll()
    }, pollIntervalMs)
    try {
      const written = new Promise<RecordPlace>((resolve, reject) => {
        const settle: Settle = (error, place) => {
          if (error) reject(roundTripFailure(error, this.#causes, { kafkaTopic }))
          else resolve(place)
        }
        client.produce({ kafkaTopic, key: null, value: Buffer.from(text), headers: [] }, settle)
      })
      return await unlessAborted(written, over)
    } catch (error) {
      throw roundTripFailure(error, this.#causes, { kafkaTopic })
    } finally {
      clearInterval(polling)
    }
  }

  /** Waits for a connect that is under way: nobody would end the connection otherwise. Never rejects. */
  async disconnect(): Promise<void> {
    await this.#connected?.catch(() => undefined)
    await this.#client?.disconnect()
  }
}
