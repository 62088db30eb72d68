import { setTimeout as delay } from 'node:timers/promises'
import { jitteredMs } from '../backoff.ts'
import type { Logger } from '../observability/logger.ts'
import { CauseReporter } from './cause-reporter.ts'
import { causeOfCode } from './kafka-causes.ts'
import { describeKafkaCode, kafkaCodes, KafkaFailure } from './kafka-error.ts'
import type { ProducerConfig } from './producer-config.ts'
import type { IdempotentProducer, KafkaError, KafkaRecord, ProducerOptions } from './producer.ts'
import { nativeFailure } from './native-failure.ts'
import { RdkafkaClient, type DeliveryFailure } from './rdkafka-client.ts'
import { recordBytes, tooLargeFailure } from './record-size.ts'
import { causeOfStall, TopicProgress } from './stalled-topics.ts'

/** Connects by itself, for as long as it takes. @param config made with kind `best-effort` */
export function createIdempotentProducer(
  config: ProducerConfig,
  logger: Logger,
  options: ProducerOptions = {},
): IdempotentProducer {
  return new RdkafkaIdempotentProducer(config, logger, options)
}

const connectTimeoutMs = 3000
const firstBackoffMs = 500
const maxBackoffMs = 10_000
const failedForGood = 'The Kafka producer failed for good.'
const busyPollMs = 10
const idlePollMs = 200

/** A record that was taken and is not settled. The record itself is kept only until librdkafka has its copy. */
interface Pending {
  readonly bytes: number
  readonly kafkaTopic: string
  readonly takenAtMs: number
  readonly settled: (error?: KafkaError) => void
  /** Of its topic, since it was handed to librdkafka. */
  progress?: TopicProgress
}

/** One connected client and what it owes a report for. */
interface Session {
  readonly client: RdkafkaClient
  readonly inFlight: Set<Pending>
  /** By Kafka topic. */
  readonly progress: Map<string, TopicProgress>
}

/** Records pass *waiting* (in order, here) and *in flight* (in librdkafka); together they never hold more than `maxBufferedBytes`. They wait
 *  while there is no connection or librdkafka's queue is full, and new ones queue up behind them. */
class RdkafkaIdempotentProducer implements IdempotentProducer {
  readonly #config: ProducerConfig
  readonly #logger: Logger
  readonly #causes: CauseReporter
  readonly #waiting = new Map<Pending, KafkaRecord>()
  readonly #stop = new AbortController()
  #session: Session | undefined
  #bufferedBytes = 0
  #outstanding = 0
  #isClosing = false
  #closing: Promise<void> | undefined
  readonly #settled = settlement()
  /** Of a producer that was replaced. */
  #ended: Promise<unknown> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #timerDelayMs = idlePollMs

  constructor(config: ProducerConfig, logger: Logger, { onError }: ProducerOptions) {
    this.#config = config
    this.#logger = logger
    this.#causes = new CauseReporter((cause) => onError?.(cause.message, cause))
    void this.#connect()
    this.#schedule(idlePollMs)
  }

  send(record: KafkaRecord, settled: (error?: KafkaError) => void): void {
    const bytes = recordBytes(record)
    const refusal = this.#refusalOf(record, bytes)
    if (refusal) return settled(refusal)
    const { kafkaTopic } = record
    const pending: Pending = { bytes, kafkaTopic, takenAtMs: performance.now(), settled }
    this.#bufferedBytes += bytes
    this.#outstanding++
    const isTaken =
      this.#waiting.size === 0 &&
      this.#session !== undefined &&
      this.#handOver(this.#session, pending, record)
    if (!isTaken) this.#waiting.set(pending, record)
    if (this.#timerDelayMs > busyPollMs) this.#schedule(busyPollMs)
  }

  async close(timeoutMs: number): Promise<void> {
    this.#isClosing = true
    if (this.#outstanding === 0) this.#settled.resolve()
    const timer = setTimeout(this.#settled.resolve, timeoutMs)
    this.#closing ??= this.#close()
    await this.#closing
    clearTimeout(timer)
  }

  async #close(): Promise<void> {
    await this.#settled.promise
    this.#stop.abort()
    clearTimeout(this.#timer)
    for (const pending of this.#waiting.keys()) this.#settleWaiting(pending, this.#stopped())
    const session = this.#session
    this.#session = undefined
    if (session) await this.#end(session, () => this.#stopped())
    await this.#ended
  }

  /** Disconnects and settles what never got a report: librdkafka drops it silently. */
  async #end({ client, inFlight }: Session, errorOf: () => KafkaFailure): Promise<void> {
    await client.disconnect()
    for (const pending of inFlight) {
      inFlight.delete(pending)
      this.#settle(pending, errorOf())
    }
  }

  #refusalOf(record: KafkaRecord, bytes: number): KafkaFailure | undefined {
    const { maxRequestSizeBytes, maxBufferedBytes } = this.#config
    if (this.#isClosing) return this.#stopped()
    if (bytes > maxRequestSizeBytes) return tooLargeFailure(record, maxRequestSizeBytes)
    if (this.#bufferedBytes + bytes <= maxBufferedBytes) return undefined
    const message = `The buffer of ${maxBufferedBytes} bytes for records that Kafka has not acknowledged is full.`
    return this.#lost(message, kafkaCodes.queueFull)
  }

  async #connect(): Promise<void> {
    for (let failures = 0; !this.#isStopped(); failures++) {
      const inFlight = new Set<Pending>()
      try {
        const client = new RdkafkaClient(this.#config, this.#causes, (opaque, failure) => {
          this.#report(inFlight, opaque, failure)
        })
        const timeoutMs = Math.min(this.#config.maxBlockMs, connectTimeoutMs)
        await client.connect(timeoutMs, this.#stop.signal)
        if (this.#isStopped()) return await client.disconnect()
        this.#logger.debug({}, 'connected to Kafka')
        this.#session = { client, inFlight, progress: new Map() }
        return this.#drain()
      } catch (error) {
        if (this.#isStopped()) return
        const { code, text } = nativeFailure(error)
        this.#causes.reportUnlessKnown(causeOfCode(code, text))
        await this.#backOff(failures)
      }
    }
  }

  /** One whose principal may not write anywhere fails again at once. */
  async #connectLater(): Promise<void> {
    await this.#backOff(0)
    await this.#connect()
  }

  #isStopped(): boolean {
    return this.#stop.signal.aborted
  }

  /** @param failures before this one */
  async #backOff(failures: number): Promise<void> {
    const backoffMs = jitteredMs(failures + 1, firstBackoffMs, maxBackoffMs)
    await delay(backoffMs, undefined, { ref: false, signal: this.#stop.signal }).catch(
      () => undefined,
    )
  }

  #report(inFlight: Set<Pending>, opaque: unknown, failure: DeliveryFailure | undefined): void {
    // The object this producer gave to produce(); Set.delete says whether it was.
    const pending = opaque as Pending
    if (!inFlight.delete(pending)) return
    pending.progress?.noteSettled(performance.now(), !failure)
    if (!failure) {
      this.#causes.forget()
      return this.#settle(pending)
    }
    const { error } = failure
    const isPurged =
      error.code === kafkaCodes.purgedInQueue || error.code === kafkaCodes.purgedInFlight
    const cause = isPurged ? failedForGood : describeKafkaCode(error.code, error.text, pending)
    this.#settle(pending, this.#lost(cause, error.code, pending.progress?.cause))
  }

  #drain(): void {
    for (const [pending, record] of this.#waiting) {
      if (!this.#session || !this.#handOver(this.#session, pending, record)) return
      this.#waiting.delete(pending)
    }
  }

  /** @returns whether it is settled or librdkafka has it, so that the next may follow */
  #handOver(session: Session, pending: Pending, record: KafkaRecord): boolean {
    try {
      session.client.produce(record, pending)
      session.inFlight.add(pending)
      pending.progress = progressOf(session, pending.kafkaTopic)
      pending.progress.noteHandedOver(performance.now())
      return true
    } catch (error) {
      const { code, text } = nativeFailure(error)
      if (code === kafkaCodes.queueFull) return false
      if (code === kafkaCodes.fatal || code === kafkaCodes.fenced) {
        this.#replace(session)
        return false
      }
      // Any other refusal is this record's own: unknown topic, missing right, too large.
      this.#settle(pending, this.#lost(describeKafkaCode(code, text, pending), code))
      return true
    }
  }

  /** An idempotent producer that lost count of its sequence numbers is dead for ever. What it had is lost, what waits goes to the next. */
  #replace(session: Session): void {
    this.#session = undefined
    this.#causes.reportUnlessKnown({ name: undefined, message: failedForGood })
    const ending = this.#end(session, () => this.#lost(failedForGood, kafkaCodes.fatal))
    this.#ended = Promise.all([this.#ended, ending])
    void this.#connectLater()
  }

  #tick(): void {
    this.#session?.client.poll()
    if (this.#session) this.#askAboutStalled(this.#session)
    this.#expire()
    this.#drain()
    this.#schedule(this.#outstanding > 0 ? busyPollMs : idlePollMs)
  }

  #askAboutStalled(session: Session): void {
    const nowMs = performance.now()
    for (const progress of session.progress.values()) {
      if (progress.isToBeAskedAbout(nowMs)) void this.#explainStall(session, progress)
    }
  }

  async #explainStall({ client }: Session, progress: TopicProgress): Promise<void> {
    const cause = await causeOfStall(client, progress.kafkaTopic, this.#causes)
    const isOld = this.#session?.client !== client || !progress.isStalled(performance.now())
    if (!cause || isOld) return
    progress.cause = cause.message
    this.#causes.inform(cause)
  }

  #schedule(delayMs: number): void {
    if (this.#isStopped()) return
    clearTimeout(this.#timer)
    this.#timerDelayMs = delayMs
    this.#timer = setTimeout(() => {
      this.#tick()
    }, delayMs)
    // A record that was taken is settled before the process can end, also while there is no connection to keep it.
    if (delayMs === idlePollMs) this.#timer.unref()
  }

  /** The oldest wait in front. */
  #expire(): void {
    const { deliveryTimeoutMs } = this.#config
    const oldestMs = performance.now() - deliveryTimeoutMs
    for (const pending of this.#waiting.keys()) {
      if (pending.takenAtMs > oldestMs) return
      const message = `Kafka could not take the record within deliveryTimeoutMs (${deliveryTimeoutMs}).`
      this.#settleWaiting(pending, this.#lost(message, kafkaCodes.timedOut))
    }
  }

  #settleWaiting(pending: Pending, error: KafkaFailure): void {
    this.#waiting.delete(pending)
    this.#settle(pending, error)
  }

  #settle(pending: Pending, error?: KafkaFailure): void {
    this.#bufferedBytes -= pending.bytes
    this.#outstanding--
    pending.settled(error)
    if (this.#isClosing && this.#outstanding === 0) this.#settled.resolve()
  }

  /** Names the trouble of the connection as well, when there is one. */
  #lost(message: string, kafkaCode: number | undefined, topicCause?: string): KafkaFailure {
    const isPoison =
      kafkaCode === kafkaCodes.messageTooLarge || kafkaCode === kafkaCodes.invalidRecord
    const last = topicCause === message ? undefined : (topicCause ?? this.#causes.last)
    return new KafkaFailure(
      isPoison ? 'poison' : 'retriable',
      last === undefined || isPoison ? message : `${message} ${last}`,
      { kafkaCode, poisonIndexes: isPoison ? [0] : [] },
    )
  }

  #stopped(): KafkaFailure {
    return this.#lost('Delivery was stopped before Kafka acknowledged the record.', undefined)
  }
}

function settlement(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

function progressOf({ progress }: Session, kafkaTopic: string): TopicProgress {
  let known = progress.get(kafkaTopic)
  if (!known) progress.set(kafkaTopic, (known = new TopicProgress(kafkaTopic)))
  return known
}
