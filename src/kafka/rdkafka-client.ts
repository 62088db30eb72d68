import type {
  DeliveryReport,
  KafkaConsumer,
  LibrdKafkaError,
  MessageHeader,
  Metadata,
  Producer,
  TopicPartitionOffset,
} from 'node-rdkafka'
import type { CauseReporter } from './cause-reporter.ts'
import { reportLogLine } from './client-log.ts'
import { causeOfThrottle, type RdkafkaLog, type RdkafkaThrottle } from './connection-cause.ts'
import { NativeCalls } from './native-calls.ts'
import { causeNamed } from './kafka-causes.ts'
import { nativeError, nativeFailure, type NativeError } from './native-failure.ts'
import { rdkafka } from './rdkafka-binding.ts'
import type { ProducerConfig } from './producer-config.ts'
import type { KafkaHeader } from './producer.ts'
import { TokenFailure } from './tokens/token-failure.ts'

/** A record as librdkafka takes it. */
export interface NativeRecord {
  readonly kafkaTopic: string
  /** Absent: the partitioner decides. */
  readonly partition?: number
  readonly key: string | Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly KafkaHeader[]
  /** Absent: now. */
  readonly timestampMs?: number
}

/** A record that Kafka has not taken. */
export interface DeliveryFailure {
  readonly error: NativeError
  readonly key: string | null
  readonly valueBytes: number
  readonly kafkaTopic: string
}

/** Where a record is, once Kafka has it. */
export type RecordPlace = Pick<DeliveryReport, 'topic' | 'partition' | 'offset'>

/** Gets what was given to `produce` and the report as it is: it is called for every record. */
export type OnDelivery = (
  opaque: unknown,
  failure: DeliveryFailure | undefined,
  place: RecordPlace,
) => void

export type TransactionCall =
  'initTransactions' | 'beginTransaction' | 'commitTransaction' | 'abortTransaction'

/** Leaves librdkafka's own timers alone; only a call that never comes back is given up. */
const disconnectTimeoutMs = 5000
const flushTimeoutMs = 100
const pollWhileConnectingMs = 50
/** librdkafka gives a broker that takes a connection and says nothing much longer. */
const silentAfterMs = 3000

/** One node-rdkafka producer for one connect attempt. A second `connect` on the same object would double every delivery report, so there
 *  is none: a failed client is dropped and a new one made. */
export class RdkafkaClient {
  readonly #producer: Producer
  readonly #causes: CauseReporter
  readonly #calls: NativeCalls
  #isReady = false
  #isTroubled = false

  /** @throws {@link Error} when librdkafka refuses the configuration */
  constructor(config: ProducerConfig, causes: CauseReporter, onDelivery: OnDelivery) {
    this.#causes = causes
    this.#producer = new rdkafka.Producer({ ...config.global }, { ...config.topic })
    this.#calls = new NativeCalls(this.#producer, config, (message) => {
      causes.report({ name: 'token-not-issued', message })
    })
    this.#producer.on('event.log', (log: RdkafkaLog) => {
      if (reportLogLine(log, this.#isReady, config, causes)) this.#isTroubled = true
    })
    this.#producer.on('event.throttle', (throttle: RdkafkaThrottle) => {
      const cause = causeOfThrottle(throttle)
      if (cause) this.#causes.inform(cause)
    })
    this.#producer.on('delivery-report', (error: LibrdKafkaError | null, report) => {
      onDelivery(report.opaque, error ? deliveryFailure(error, report) : undefined, report)
    })
  }

  /** Resolves when the cluster has answered; rejects with {@link NativeFailure} or {@link TokenFailure}, then this client is dead.
   *  @param timeoutMs without the time in which it waits for its turns
   *  @param calledOff ends it: connects to dead clusters can queue up for long */
  async connect(timeoutMs: number, calledOff: AbortSignal): Promise<void> {
    // node-rdkafka polls only after 'ready'; events of a connection that never gets there would wait for ever.
    let isMadeForMs = 0
    const polling = setInterval(() => {
      if (!this.#producer.isConnected()) return
      this.poll()
      isMadeForMs += pollWhileConnectingMs
      if (isMadeForMs >= silentAfterMs) this.#causes.reportUnlessKnown(causeNamed('no-broker'))
    }, pollWhileConnectingMs)
    try {
      await this.#calls.connect(timeoutMs, calledOff, () => this.#isTroubled)
      this.#isReady = true
      this.#causes.forget()
    } catch (error) {
      if (error instanceof TokenFailure && !calledOff.aborted) {
        this.#causes.report({ name: 'token-not-issued', message: error.message })
      }
      throw error
    } finally {
      clearInterval(polling)
    }
  }

  /** Copies the record into librdkafka's queue. `opaque` comes back in the delivery report; with `delivery.report.only.error` it must be
   *  undefined, because librdkafka's handle of it is freed by reports only.
   *  @throws {@link NativeFailure} of any code: unknown topic, too large, full queue, fatal state */
  produce(record: NativeRecord, opaque?: object): void {
    try {
      this.#producer.produce(
        record.kafkaTopic,
        record.partition ?? null,
        record.value,
        record.key,
        record.timestampMs ?? null,
        opaque,
        // The types ask for a mutable array; node-rdkafka only reads it.
        record.headers as MessageHeader[],
      )
    } catch (error) {
      throw nativeFailure(error)
    }
  }

  /** Serves reports and events; without it the queue stays full for ever. */
  poll(): void {
    if (this.#producer.isConnected()) this.#producer.poll()
  }

  /** One slice of a transactional call.
   *  @param givenUp ends the wait for its turn
   *  @throws {@link NativeFailure} */
  async transaction(name: TransactionCall, timeoutMs: number, givenUp: AbortSignal): Promise<void> {
    const kind = name === 'beginTransaction' ? 'local' : 'request'
    const start = (done: (error: unknown) => void): void => {
      if (name === 'beginTransaction') this.#producer.beginTransaction(done)
      else this.#producer[name](timeoutMs, done)
    }
    await this.#calls.run(kind, start, givenUp)
  }

  /** One slice of adding an offset of the consumer's group to the open transaction. librdkafka does not keep the time: a request that is not
   *  answered takes `socket.timeout.ms`.
   *  @param consumer of a group that it is a member of only as what it is there now: Kafka refuses an earlier generation
   *  @param givenUp ends the wait for its turn
   *  @throws {@link NativeFailure} */
  async sendOffset(
    place: TopicPartitionOffset,
    consumer: KafkaConsumer,
    timeoutMs: number,
    givenUp: AbortSignal,
  ): Promise<void> {
    // node-rdkafka takes anything for an offset, says that it went well, and stores nothing or 0.
    if (!Number.isSafeInteger(place.offset) || place.offset < 0)
      throw new RangeError('not an offset')
    const start = (done: (error: unknown) => void): void => {
      this.#producer.sendOffsetsToTransaction([place], consumer, timeoutMs, done)
    }
    await this.#calls.run('checkpoint', start, givenUp)
  }

  /** What the cluster says about a topic. One that is not there, or that the principal may not see, is absent.
   *  @param calledOff ends the wait for its turn
   *  @throws {@link NativeFailure} */
  async topicMetadata(
    kafkaTopic: string,
    timeoutMs: number,
    calledOff?: AbortSignal,
  ): Promise<Metadata> {
    const metadata = await this.#calls.run<Metadata | undefined>(
      'request',
      (done) => {
        this.#producer.getMetadata({ topic: kafkaTopic, timeout: timeoutMs }, done)
      },
      calledOff,
    )
    if (!metadata) throw nativeFailure('no answer')
    return metadata
  }

  /** Must not be called while a {@link transaction} call is under way: librdkafka aborts the process. Never rejects.
   *  What is still queued is dropped without a report. */
  async disconnect(): Promise<void> {
    this.#calls.endLogin()
    if (!this.#producer.isConnected()) return
    this.#isReady = false
    await this.#calls.disconnect(
      (done) => this.#producer.disconnect(flushTimeoutMs, done),
      disconnectTimeoutMs,
    )
  }
}

function deliveryFailure(error: LibrdKafkaError, report: DeliveryReport): DeliveryFailure {
  return {
    error: nativeError(error),
    key: report.key === null || report.key === undefined ? null : report.key.toString(),
    valueBytes: report.size,
    kafkaTopic: report.topic,
  }
}
