import type { KafkaConsumer, Message, Metadata, WatermarkOffsets } from 'node-rdkafka'
import {
  describeKafkaCode,
  isKafkaError,
  kafkaCodes,
  KafkaFailure,
} from '../../kafka/kafka-error.ts'
import { NativeCalls } from '../../kafka/native-calls.ts'
import { nativeFailure } from '../../kafka/native-failure.ts'
import { rdkafka } from '../../kafka/rdkafka-binding.ts'
import { unreadable } from '../../kafka/round-trip/round-trip-failure.ts'
import type { NativeCall } from '../../kafka/sliced-connect.ts'
import { sourceRecord, type SourceRecord } from '../record.ts'
import { readerSettings, stepProducerConfig, type KafkaConnection } from '../retry-settings.ts'

/** Offsets of a partition: from the first one, to the one behind the last one. */
export interface Stretch {
  readonly partition: number
  readonly from: number
  readonly to: number
}

const requestTimeoutMs = 10_000
const disconnectTimeoutMs = 5000
const consumeTimeoutMs = 200
const recordsAtOnce = 500
/** Longest wait for a record, and for the end of a transaction that hides those behind it. */
const silenceMs = 60_000

/** Reads stretches of a topic, as a member of no group. */
export class TopicReader implements AsyncDisposable {
  readonly #topic: string
  readonly #consumer: KafkaConsumer
  readonly #calls: NativeCalls
  readonly #reachedEnds = new Map<number, number>()

  constructor(topic: string, connection: KafkaConnection) {
    this.#topic = topic
    this.#consumer = new rdkafka.KafkaConsumer(
      {
        ...readerSettings(connection, 'fhir-kafka-reader'),
        'enable.partition.eof': true,
      },
      { 'auto.offset.reset': 'earliest' },
    )
    this.#consumer.on('event.error', () => undefined)
    this.#consumer.on('partition.eof', ({ partition, offset }) => {
      this.#reachedEnds.set(partition, offset)
    })
    this.#consumer.setDefaultConsumeTimeout(consumeTimeoutMs)
    const config = stepProducerConfig(connection, topic, requestTimeoutMs)
    this.#calls = new NativeCalls(this.#consumer, config, () => undefined)
  }

  /** @throws {@link KafkaFailure} */
  async connect(): Promise<void> {
    await this.#try(() => this.#calls.connect(requestTimeoutMs, new AbortController().signal))
  }

  /** All partitions as they are now, what stands in open transactions included.
   *  @throws {@link KafkaFailure} */
  async whole(): Promise<Stretch[]> {
    const { topics } = await this.#request<Metadata>((done) => {
      this.#consumer.getMetadata({ topic: this.#topic, timeout: requestTimeoutMs }, done)
    })
    const partitions = topics.find(({ name }) => name === this.#topic)?.partitions ?? []
    if (partitions.length === 0) {
      throw new KafkaFailure(
        'retriable',
        `The topic "${this.#topic}" is not on the cluster, or may not be seen.`,
      )
    }
    const stretches: Stretch[] = []
    for (const { id } of partitions.toSorted((a, b) => a.id - b.id)) {
      const { lowOffset, highOffset } = await this.#request<WatermarkOffsets>((done) => {
        this.#consumer.queryWatermarkOffsets(this.#topic, id, requestTimeoutMs, done)
      })
      stretches.push({ partition: id, from: lowOffset, to: highOffset })
    }
    return stretches
  }

  /** Every committed record of the stretches, those of a partition in their order. Waits for transactions that are open in them.
   *  @param onRecords gets some at a time; nothing is read while it works
   *  @throws {@link KafkaFailure} when nothing comes for a minute */
  async read(
    stretches: readonly Stretch[],
    onRecords: (records: readonly SourceRecord[]) => Promise<void> | void,
  ): Promise<void> {
    const filled = stretches.filter(({ from, to }) => from < to)
    if (filled.length === 0) return
    const open = new Map(filled.map(({ partition, to }) => [partition, to]))
    this.#reachedEnds.clear()
    this.#consumer.assign(
      filled.map(({ partition, from }) => ({ topic: this.#topic, partition, offset: from })),
    )
    let silentSinceMs = performance.now()
    while (open.size > 0) {
      const records = (await this.#consume())
        .map(sourceRecord)
        .filter(({ partition, offset }) => offset < (open.get(partition) ?? 0))
      const openBefore = open.size
      for (const [partition, offset] of this.#reachedEnds) {
        if (offset >= (open.get(partition) ?? Infinity)) open.delete(partition)
      }
      for (const { partition, offset } of records) {
        if (offset + 1 >= (open.get(partition) ?? Infinity)) open.delete(partition)
      }
      if (records.length > 0) await onRecords(records)
      if (records.length > 0 || open.size < openBefore) silentSinceMs = performance.now()
      else if (performance.now() - silentSinceMs > silenceMs) throw this.#silence()
    }
    this.#consumer.unassign()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#consumer.isConnected()) return
    await this.#calls.disconnect((done) => this.#consumer.disconnect(done), disconnectTimeoutMs)
  }

  async #consume(): Promise<Message[]> {
    try {
      return await this.#request<Message[]>((done) => {
        this.#consumer.consume(recordsAtOnce, done)
      })
    } catch (error) {
      // librdkafka looks for the coordinator of a group that is never used.
      const isOfGroup = isKafkaError(error) && error.kafkaCode === kafkaCodes.groupAuthorization
      if (isOfGroup) return []
      throw error
    }
  }

  #silence(): KafkaFailure {
    const message = `The topic "${this.#topic}" could not be read to its end in ${silenceMs} ms: a transaction on it may be open, or Kafka does not answer.`
    return new KafkaFailure('retriable', message)
  }

  async #request<Result>(call: NativeCall<Result>): Promise<Result> {
    return this.#try(() => this.#calls.run<Result>('request', call))
  }

  async #try<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work()
    } catch (error) {
      const { code, text } = nativeFailure(error)
      if (code === kafkaCodes.topicAuthorization) throw unreadable(this.#topic)
      const message = describeKafkaCode(code, text, { kafkaTopic: this.#topic })
      throw new KafkaFailure('retriable', message, { kafkaCode: code, cause: error })
    }
  }
}
