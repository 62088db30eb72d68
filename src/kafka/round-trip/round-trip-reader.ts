import { setTimeout as delay } from 'node:timers/promises'
import type { KafkaConsumer, Message, Metadata } from 'node-rdkafka'
import { unlessAborted } from '../../deadline.ts'
import { CauseReporter } from '../cause-reporter.ts'
import { reportLogLine } from '../client-log.ts'
import { committedOffset } from '../committed-offset.ts'
import type { RdkafkaLog } from '../connection-cause.ts'
import { connectionSettingsOf } from '../connection-key.ts'
import { KafkaFailure } from '../kafka-error.ts'
import { NativeCalls } from '../native-calls.ts'
import { nativeFailure } from '../native-failure.ts'
import type { ProducerConfig } from '../producer-config.ts'
import { rdkafka } from '../rdkafka-binding.ts'
import type { RecordPlace } from '../rdkafka-client.ts'
import { partitionsOf } from '../topic-state.ts'
import { readRefusal, roundTripFailure, unreadable } from './round-trip-failure.ts'

const disconnectTimeoutMs = 3000
const consumeSliceMs = 50
const committedSliceMs = 500
const metadataSliceMs = 1000

export interface RoundTripReaderOptions {
  /** Consumer group that reads; it is asked for its offsets, and never joined. */
  readonly group: string
  /** False: nobody reads with the group, so that a missing right to it is no fault. */
  readonly isGroupUsed: boolean
}

/** The side of a round trip that reads. Every call rejects with a KafkaFailure that says why, at the latest when the signal is aborted. */
export class RoundTripReader {
  readonly #group: string | undefined
  readonly #causes = new CauseReporter(() => undefined)
  readonly #consumer: KafkaConsumer
  readonly #calls: NativeCalls
  #connected: Promise<void> | undefined
  #isConnected = false

  /** @throws {@link Error} when librdkafka refuses the configuration */
  constructor(config: ProducerConfig, { group, isGroupUsed }: RoundTripReaderOptions) {
    this.#group = isGroupUsed ? group : undefined
    this.#consumer = new rdkafka.KafkaConsumer(
      {
        ...connectionSettingsOf(config),
        'group.id': group,
        'enable.auto.commit': false,
        // Nobody's open transaction keeps the record back.
        'isolation.level': 'read_uncommitted',
        'fetch.wait.max.ms': consumeSliceMs,
        'fetch.error.backoff.ms': consumeSliceMs,
      },
      // The record is at its offset or nowhere.
      { 'auto.offset.reset': 'error' },
    )
    this.#consumer.setDefaultConsumeTimeout(consumeSliceMs)
    this.#consumer.on('event.error', () => undefined)
    this.#consumer.on('event.log', (log: RdkafkaLog) => {
      reportLogLine(log, this.#isConnected, config, this.#causes)
    })
    this.#calls = new NativeCalls(this.#consumer, config, () => undefined)
  }

  async connect(timeoutMs: number, over: AbortSignal): Promise<void> {
    try {
      this.#connected = this.#calls.connect(timeoutMs, over)
      await unlessAborted(this.#connected, over)
      this.#isConnected = true
      this.#causes.forget()
    } catch (error) {
      throw roundTripFailure(error, this.#causes)
    }
  }

  /** Resolves when exactly this text is there. */
  async read(place: RecordPlace, text: string, over: AbortSignal): Promise<void> {
    const { topic, partition, offset } = place
    const context = { kafkaTopic: topic }
    try {
      await this.#untilVisible(topic, over)
      this.#consumer.assign([{ topic, partition, offset }])
      let message: Message | undefined
      while (!message) message = await this.#next(topic, over)
      if (message.offset !== offset || message.value?.toString() !== text) {
        const found = `Another record stands at offset ${offset} of partition ${partition} of Kafka topic "${topic}".`
        throw new KafkaFailure('retriable', found)
      }
      if (this.#group !== undefined) await this.#askGroup(place, over)
    } catch (error) {
      throw roundTripFailure(error, this.#causes, context)
    }
  }

  /** A topic that exists, and that the principal may not see, is just not there; one that is new reaches the brokers one by one. */
  async #untilVisible(topic: string, over: AbortSignal): Promise<void> {
    for (;;) {
      const asked = this.#calls.run<Metadata>(
        'request',
        (done) => {
          this.#consumer.getMetadata({ topic, timeout: metadataSliceMs }, done)
        },
        over,
      )
      if (partitionsOf(await unlessAborted(asked, over), topic).length > 0) return
      await delay(consumeSliceMs)
      if (over.aborted) throw unreadable(topic)
    }
  }

  async #next(kafkaTopic: string, over: AbortSignal): Promise<Message | undefined> {
    over.throwIfAborted()
    try {
      const consumed = this.#calls.run<Message[]>(
        'request',
        (done) => {
          this.#consumer.consume(1, done)
        },
        over,
      )
      return (await unlessAborted(consumed, over))[0]
    } catch (error) {
      over.throwIfAborted()
      const refusal = readRefusal(nativeFailure(error).code, kafkaTopic, this.#group)
      if (refusal) throw refusal
      // A leader that moves, a broker that restarts: it is tried again until the time is over.
      await delay(consumeSliceMs)
      return undefined
    }
  }

  /** Resolves when the coordinator has answered. It keeps silent to a principal without the right, and the refusal comes where records do. */
  async #askGroup(place: RecordPlace, over: AbortSignal): Promise<void> {
    for (;;) {
      over.throwIfAborted()
      try {
        const asked = committedOffset(this.#consumer, this.#calls, place, committedSliceMs, over)
        await unlessAborted(asked, over)
        return
      } catch (error) {
        over.throwIfAborted()
        const refusal = readRefusal(nativeFailure(error).code, place.topic, this.#group)
        if (refusal) throw refusal
        await this.#next(place.topic, over)
      }
    }
  }

  /** Waits for a connect that is under way: nobody would end the connection otherwise. Never rejects. */
  async disconnect(): Promise<void> {
    await this.#connected?.catch(() => undefined)
    if (!this.#consumer.isConnected()) return
    await this.#calls.disconnect((done) => this.#consumer.disconnect(done), disconnectTimeoutMs)
  }
}
