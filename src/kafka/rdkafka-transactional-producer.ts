import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '../observability/logger.ts'
import { Turns } from '../turns.ts'
import { CauseReporter } from './cause-reporter.ts'
import { isUnanswered, kafkaCodes, KafkaFailure } from './kafka-error.ts'
import { nativeFailure, type NativeFailure } from './native-failure.ts'
import type { ProducerConfig } from './producer-config.ts'
import type { KafkaRecord, PageProducer, ProducerOptions } from './producer.ts'
import { closedFailure, connectClient } from './producer-connection.ts'
import { CheckpointGroup } from './checkpoint-group.ts'
import type { DeliveryFailure, RdkafkaClient } from './rdkafka-client.ts'
import { refuseTooLarge } from './record-size.ts'
import { causeOfStall } from './stalled-topics.ts'
import { TransactionCalls } from './transaction-calls.ts'
import {
  abortedFailure,
  isPoisonSuspected,
  refusedFailure,
  transactionVerdict,
} from './transaction-failure.ts'

type BeforeCommit = (() => Promise<number | undefined>) | undefined

/** @param config made with kind `at-least-once` and a transactional.id */
export function createTransactionalProducer(
  config: ProducerConfig,
  logger: Logger,
  options: ProducerOptions = {},
): PageProducer {
  return new RdkafkaTransactionalProducer(config, logger, options)
}

const pollIntervalMs = 20
const reportWaitMs = 250
const reportPollMs = 5

/** One Kafka transaction per page.
 *
 *  A rejection of kind `poison` whose abort was refused leaves this producer dead as well: the page was not committed, and the next call
 *  answers `fatal`.
 *
 *  States: new, started, dead (after `fatal` or `fenced`, or a failed start), closed. Calls are made one after the other by one lane;
 *  `close` may come at any time and waits for the call under way. */
class RdkafkaTransactionalProducer implements PageProducer {
  readonly checkpointTopic: string | undefined
  readonly #config: ProducerConfig
  readonly #logger: Logger
  readonly #causes: CauseReporter
  readonly #calls: TransactionCalls
  readonly #group: CheckpointGroup
  readonly #failed: DeliveryFailure[] = []
  /** Records of the open transaction whose report has not come. */
  #unreported = 0
  #client: RdkafkaClient | undefined
  #dead: string | undefined = 'It was not started.'
  readonly #turns = new Turns()
  readonly #calledOff = new AbortController()
  #closing: Promise<void> | undefined
  #polling: NodeJS.Timeout | undefined

  constructor(config: ProducerConfig, logger: Logger, { onError, checkpoint }: ProducerOptions) {
    this.checkpointTopic = checkpoint?.kafkaTopic
    this.#config = config
    this.#logger = logger
    this.#causes = new CauseReporter((cause) => {
      // Another producer delivers by then.
      if (!this.#calls.abandoned.aborted) onError?.(cause.message, cause)
    })
    this.#calls = new TransactionCalls(config, this.#causes)
    this.#group = new CheckpointGroup(config, checkpoint, this.#causes, this.#calledOff.signal)
  }

  async start(): Promise<void> {
    await this.#exclusively(async () => {
      this.#client = await connectClient({
        config: this.#config,
        causes: this.#causes,
        onDelivery: (_opaque, failure) => {
          this.#unreported--
          if (failure) this.#failed.push(failure)
        },
        calledOff: this.#calledOff.signal,
      })
      this.#calls.use(this.#client)
      this.#poll()
      try {
        await this.#calls.watched(() =>
          this.#calls.run('initTransactions', this.#config.maxBlockMs),
        )
        this.#causes.forget()
      } catch (error) {
        throw this.#calls.failureOf('initTransactions', nativeFailure(error))
      }
      this.#dead = undefined
    })
  }

  async sendPage(records: readonly KafkaRecord[], beforeCommit?: BeforeCommit): Promise<void> {
    if (records.length === 0) return
    // Before anything is begun: an abort after a refused record may be fatal for the producer.
    refuseTooLarge(records, this.#config.maxRequestSizeBytes)
    await this.#exclusively(async () => {
      if (this.#dead !== undefined) {
        throw new KafkaFailure('fatal', `This producer cannot be used: ${this.#dead}`)
      }
      try {
        await this.#transaction(records, beforeCommit)
      } catch (error) {
        if (!this.#isSequenceGap(error)) throw error
        await this.#transaction(records, beforeCommit)
      }
    })
  }

  /** Kafka refused a batch of the transaction before, so the first batch of this one seems to skip sequence numbers. The abort it led to
   *  has given the producer a new epoch: the same records go through now. */
  #isSequenceGap(error: unknown): boolean {
    return (
      this.#dead === undefined &&
      error instanceof KafkaFailure &&
      error.kafkaCode === kafkaCodes.outOfOrderSequence
    )
  }

  async close(timeoutMs: number): Promise<void> {
    this.#calls.giveUpAt(performance.now() + timeoutMs)
    this.#calledOff.abort(new Error('The connect was called off.'))
    this.#closing ??= this.#close()
    await this.#closing
  }

  /** librdkafka aborts the process when a producer is disconnected while one of its transactional calls is under way. So the call is
   *  waited for; from the deadline on it is no longer resumed, which ends it within one slice.
   *
   *  One may not end: sending a checkpoint, while the coordinator refuses the login or librdkafka has lost it. It keeps its client until then;
   *  the next producer of the same transactional.id fences it, and nothing is begun any more that could commit. */
  async #close(): Promise<void> {
    try {
      await this.#turns.ended(this.#calls.abandoned)
      await this.#disconnect()
    } catch {
      void this.#turns.ended().then(() => this.#disconnect())
    }
  }

  async #disconnect(): Promise<void> {
    this.#dead = 'It was closed.'
    clearTimeout(this.#polling)
    this.#calls.end()
    await this.#client?.disconnect()
    await this.#group.disconnect()
  }

  async #exclusively<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#closing) throw closedFailure()
    return this.#turns.take(work, this.#calls.abandoned)
  }

  #poll(): void {
    this.#client?.poll()
    this.#polling = setTimeout(() => {
      this.#poll()
    }, pollIntervalMs)
    this.#polling.unref()
  }

  async #transaction(records: readonly KafkaRecord[], beforeCommit: BeforeCommit): Promise<void> {
    try {
      await this.#calls.watched(
        () => this.#attempt(records, beforeCommit),
        () => void this.#explainStall(records),
      )
    } catch (error) {
      const isOver =
        error instanceof KafkaFailure && (error.kind === 'fatal' || error.kind === 'fenced')
      if (isOver) this.#dead ??= error.message
      throw error
    }
  }

  async #explainStall([first]: readonly KafkaRecord[]): Promise<void> {
    const client = this.#client
    if (!client || !first) return
    if (this.#unreported <= 0) {
      this.#calls.reportMissingCoordinator()
      return
    }
    const cause = await causeOfStall(client, first.kafkaTopic, this.#causes)
    if (cause && this.#unreported > 0) this.#causes.report(cause)
  }

  async #attempt(records: readonly KafkaRecord[], beforeCommit: BeforeCommit): Promise<void> {
    this.#failed.length = 0
    this.#unreported = 0
    await this.#begin()
    const deadlineMs = performance.now() + this.#config.transactionTimeoutMs
    for (const [index, record] of records.entries()) {
      try {
        // Waiting for nothing a thousand times costs as much as a small page.
        if (!this.#isProduced(record)) await this.#produce(record, deadlineMs)
      } catch (error) {
        throw await this.#abortAfter(nativeFailure(error), records, index)
      }
    }
    let checkpoint: number | undefined
    try {
      checkpoint = await beforeCommit?.()
    } catch (error) {
      this.#dead = (await this.#abort())?.text
      throw error
    }
    if (checkpoint !== undefined) await this.#sendCheckpoint(checkpoint, records)
    try {
      await this.#calls.run('commitTransaction', this.#config.transactionTimeoutMs)
      this.#causes.forget()
    } catch (error) {
      const failure = nativeFailure(error)
      const verdict = transactionVerdict(failure)
      if (verdict === 'abort') throw await this.#abortAfter(failure, records)
      throw this.#calls.failureOf(
        'commitTransaction',
        failure,
        'Whether the transaction was committed is unknown.',
      )
    }
  }

  /** Whoever notices it first says that a right is missing: a record that may not be written has its own report. */
  async #sendCheckpoint(offset: number, records: readonly KafkaRecord[]): Promise<void> {
    try {
      const consumer = await this.#group.connected()
      await this.#calls.sendCheckpoint(consumer, offset, this.#config.transactionTimeoutMs)
    } catch (error) {
      const failure = nativeFailure(error)
      const refused = this.#group.refusal(failure)
      if (!refused || (await this.#isRecordRefused(failure, records))) {
        throw await this.#abortAfter(failure, records)
      }
      throw this.#unlessDead(refused, await this.#abort())
    }
  }

  async readCheckpoint(kafkaTopic = this.checkpointTopic): Promise<number | undefined> {
    return this.#exclusively(() =>
      this.#group.read(kafkaTopic, this.#calls, () => this.#probeCheckpoint()),
    )
  }

  async #isRecordRefused(
    { code }: NativeFailure,
    records: readonly KafkaRecord[],
  ): Promise<boolean> {
    if (code !== kafkaCodes.topicAuthorization || records.length === 0) return false
    await this.#awaitReports(() => this.#failed.length > 0)
    return this.#failed.some(({ error }) => error.code === code)
  }

  async probeCheckpoint(): Promise<void> {
    await this.#exclusively(() => this.#probeCheckpoint())
  }

  async #probeCheckpoint(): Promise<void> {
    if (this.#dead !== undefined) return
    this.#failed.length = 0
    await this.#begin()
    await this.#calls.watched(() => this.#sendCheckpoint(0, []))
    this.#dead = (await this.#abort())?.text
  }

  /** begin's error carries no flags, only a code. */
  async #begin(): Promise<void> {
    try {
      await this.#calls.run('beginTransaction', 0)
    } catch (error) {
      throw this.#calls.failureOf('beginTransaction', nativeFailure(error))
    }
  }

  /** False when librdkafka's queue is full. */
  #isProduced(record: KafkaRecord): boolean {
    try {
      this.#client?.produce(record)
      this.#unreported++
      return true
    } catch (error) {
      if (nativeFailure(error).code !== kafkaCodes.queueFull) throw error
      return false
    }
  }

  async #produce(record: KafkaRecord, deadlineMs: number): Promise<void> {
    while (!this.#calls.isPast(deadlineMs)) {
      this.#client?.poll()
      await nextTurn()
      if (this.#isProduced(record)) return
    }
    this.#client?.produce(record)
  }

  /** Aborts, and makes the error of it. A refused abort leaves this producer dead, but what made the transaction fail stays the answer:
   *  it was not committed, and the operator needs that cause. */
  async #abortAfter(
    failure: NativeFailure,
    records: readonly KafkaRecord[],
    refusedIndex?: number,
  ): Promise<KafkaFailure> {
    if (isPoisonSuspected(failure)) await this.#awaitReports(() => this.#failed.length > 0)
    const refusal = await this.#abort()
    // The abort has made every record report, and those of a loaded machine reach JavaScript after its own end.
    await this.#awaitReports(() => this.#unreported <= 0)
    // A transaction that takes no more records says nothing of this one: one before it has failed.
    const isRefused = refusedIndex !== undefined && failure.code !== kafkaCodes.state
    const aborted = isRefused
      ? refusedFailure(failure, records, refusedIndex)
      : abortedFailure(failure, records, this.#failed, this.#config.transactionalId)
    return this.#unlessDead(this.#withCause(aborted), refusal)
  }

  /** That nothing was acknowledged in time says little; why the broker cannot be reached says it. */
  #withCause(aborted: KafkaFailure): KafkaFailure {
    const { kind, kafkaCode, message } = aborted
    if (this.#causes.last === undefined || !isUnanswered(kafkaCode)) return aborted
    return new KafkaFailure(kind, `${message} ${this.#causes.last}`, { kafkaCode })
  }

  #unlessDead(aborted: KafkaFailure, refusal: NativeFailure | undefined): KafkaFailure {
    if (!refusal) return aborted
    this.#logger.debug({ code: refusal.code }, 'the abort was refused, the producer is dead')
    const isFenced = transactionVerdict(refusal) === 'fenced'
    if (isFenced) return this.#calls.failureOf('abortTransaction', refusal)
    this.#dead = aborted.message
    if (aborted.kind === 'poison') return aborted
    return new KafkaFailure('fatal', aborted.message, {
      kafkaCode: aborted.kafkaCode,
      cause: refusal,
    })
  }

  async #abort(): Promise<NativeFailure | undefined> {
    try {
      await this.#calls.run('abortTransaction', this.#config.transactionTimeoutMs)
      return undefined
    } catch (error) {
      return nativeFailure(error)
    }
  }

  /** Reports reach JavaScript a little after the call they belong to. */
  async #awaitReports(haveCome: () => boolean): Promise<void> {
    const deadlineMs = performance.now() + reportWaitMs
    while (!haveCome() && !this.#calls.isPast(deadlineMs)) {
      this.#client?.poll()
      await delay(reportPollMs)
    }
  }
}
