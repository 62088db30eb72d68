import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '../observability/logger.ts'
import { CauseReporter } from './connection-cause.ts'
import { describeKafkaCode, kafkaCodes, KafkaFailure } from './kafka-error.ts'
import type { ProducerConfig } from './producer-config.ts'
import type { KafkaRecord, TransactionalProducer } from './producer.ts'
import {
  isLargerThan,
  nativeFailure,
  RdkafkaClient,
  recordBytes,
  type DeliveryOutcome,
  type NativeFailure,
  type TransactionCall,
} from './rdkafka-client.ts'
import {
  abortedFailure,
  isPoisonSuspected,
  isUnanswered,
  refusedFailure,
  transactionVerdict,
} from './transaction-failure.ts'

export interface ProducerOptions {
  /** Gets causes seen outside a call, in words, the same at most once a minute. */
  readonly onError?: (message: string) => void
}

type BeforeCommit = (() => Promise<void>) | undefined

/** @param config made with kind `at-least-once` and a transactional.id */
export function createTransactionalProducer(
  config: ProducerConfig,
  logger: Logger,
  options: ProducerOptions = {},
): TransactionalProducer {
  return new RdkafkaTransactionalProducer(config, logger, options)
}

const connectTimeoutMs = 3000
/** A blocking call holds a thread, so it comes back soon and is resumed. An abort after a failed record always uses its whole slice. */
const sliceMs: Readonly<Record<TransactionCall, number>> = {
  initTransactions: 1000,
  beginTransaction: 0,
  commitTransaction: 500,
  abortTransaction: 300,
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
class RdkafkaTransactionalProducer implements TransactionalProducer {
  readonly #config: ProducerConfig
  readonly #logger: Logger
  readonly #causes: CauseReporter
  readonly #failed: DeliveryOutcome[] = []
  #client: RdkafkaClient | undefined
  #dead: string | undefined = 'It was not started.'
  #underWay: Promise<unknown> = Promise.resolve()
  #closing: Promise<void> | undefined
  #giveUpAtMs = Number.POSITIVE_INFINITY
  #polling: NodeJS.Timeout | undefined

  constructor(config: ProducerConfig, logger: Logger, { onError }: ProducerOptions) {
    this.#config = config
    this.#logger = logger
    this.#causes = new CauseReporter((message) => onError?.(message))
  }

  async start(): Promise<void> {
    await this.#exclusively(async () => {
      try {
        const client = new RdkafkaClient(this.#config, this.#causes, (outcome) => {
          if (outcome.error) this.#failed.push(outcome)
        })
        await client.connect(
          Math.min(this.#config.maxBlockMs, connectTimeoutMs),
          () => this.#closing !== undefined,
        )
        this.#client = client
      } catch (error) {
        throw this.#connectFailure(nativeFailure(error))
      }
      this.#poll()
      await this.#resumed('initTransactions', this.#config.maxBlockMs)
      this.#dead = undefined
    })
  }

  async sendTransaction(
    records: readonly KafkaRecord[],
    beforeCommit?: BeforeCommit,
  ): Promise<void> {
    if (records.length === 0) return
    this.#refuseTooLarge(records)
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
    this.#giveUpAtMs = Math.min(this.#giveUpAtMs, performance.now() + timeoutMs)
    this.#closing ??= this.#close()
    await this.#closing
  }

  /** librdkafka aborts the process when a producer is disconnected while one of its transactional calls is under way. So the call is
   *  waited for; from the deadline on it is no longer resumed, which ends it within one slice. */
  async #close(): Promise<void> {
    await this.#underWay
    this.#dead = 'It was closed.'
    clearTimeout(this.#polling)
    await this.#client?.disconnect()
  }

  async #exclusively(work: () => Promise<void>): Promise<void> {
    if (this.#closing)
      throw new KafkaFailure('fatal', 'This producer cannot be used: it was closed.')
    const result = this.#underWay.then(work)
    this.#underWay = result.catch(() => undefined)
    await result
  }

  #poll(): void {
    this.#client?.poll()
    this.#polling = setTimeout(() => {
      this.#poll()
    }, pollIntervalMs)
    this.#polling.unref()
  }

  /** Before anything is begun: an abort after a refused record may be fatal for the producer. */
  #refuseTooLarge(records: readonly KafkaRecord[]): void {
    const { maxRequestSizeBytes } = this.#config
    const tooLarge = records.flatMap((record, index) =>
      isLargerThan(record, maxRequestSizeBytes) ? [index] : [],
    )
    const first = records[tooLarge[0] ?? -1]
    if (!first) return
    throw new KafkaFailure(
      'poison',
      `Message too large: the record has ${recordBytes(first)} bytes, maxRequestSize is ${maxRequestSizeBytes}.`,
      { kafkaCode: kafkaCodes.messageTooLarge, poisonIndexes: tooLarge },
    )
  }

  async #transaction(records: readonly KafkaRecord[], beforeCommit: BeforeCommit): Promise<void> {
    try {
      await this.#attempt(records, beforeCommit)
    } catch (error) {
      const isOver =
        error instanceof KafkaFailure && (error.kind === 'fatal' || error.kind === 'fenced')
      if (isOver) this.#dead ??= error.message
      throw error
    }
  }

  async #attempt(records: readonly KafkaRecord[], beforeCommit: BeforeCommit): Promise<void> {
    this.#failed.length = 0
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
    try {
      await beforeCommit?.()
    } catch (error) {
      const refusal = await this.#abort()
      if (refusal) this.#dead = refusal.text
      throw error
    }
    try {
      await this.#slices('commitTransaction', this.#config.transactionTimeoutMs)
      this.#causes.forget()
    } catch (error) {
      const failure = nativeFailure(error)
      const verdict = transactionVerdict(failure)
      if (verdict === 'abort') throw await this.#abortAfter(failure, records)
      throw this.#failureOf(
        'commitTransaction',
        failure,
        'Whether the transaction was committed is unknown.',
      )
    }
  }

  /** begin's error carries no flags, only a code. */
  async #begin(): Promise<void> {
    try {
      await this.#slices('beginTransaction', 0)
    } catch (error) {
      throw this.#failureOf('beginTransaction', nativeFailure(error))
    }
  }

  /** False when librdkafka's queue is full. */
  #isProduced(record: KafkaRecord): boolean {
    try {
      this.#client?.produce(record)
      return true
    } catch (error) {
      if (nativeFailure(error).code !== kafkaCodes.queueFull) throw error
      return false
    }
  }

  async #produce(record: KafkaRecord, deadlineMs: number): Promise<void> {
    while (!this.#isPast(deadlineMs)) {
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
    if (isPoisonSuspected(failure)) await this.#awaitReports()
    const refusal = await this.#abort()
    const aborted =
      refusedIndex === undefined
        ? abortedFailure(failure, records, this.#failed, this.#config.transactionalId)
        : refusedFailure(failure, records, refusedIndex)
    return this.#unlessDead(this.#withCause(aborted), refusal)
  }

  /** That nothing was acknowledged in time says little; why the broker cannot be reached says it. */
  #withCause(aborted: KafkaFailure): KafkaFailure {
    const { kind, kafkaCode, message } = aborted
    const { last } = this.#causes
    if (last === undefined || !isUnanswered(kafkaCode)) return aborted
    return new KafkaFailure(kind, `${message} ${last}`, { kafkaCode })
  }

  #unlessDead(aborted: KafkaFailure, refusal: NativeFailure | undefined): KafkaFailure {
    if (!refusal) return aborted
    this.#logger.debug({ code: refusal.code }, 'the abort was refused, the producer is dead')
    const isFenced = transactionVerdict(refusal) === 'fenced'
    if (isFenced) return this.#failureOf('abortTransaction', refusal)
    this.#dead = aborted.message
    if (aborted.kind === 'poison') return aborted
    return new KafkaFailure('fatal', aborted.message, {
      kafkaCode: aborted.kafkaCode,
      cause: refusal,
    })
  }

  async #abort(): Promise<NativeFailure | undefined> {
    try {
      await this.#slices('abortTransaction', this.#config.transactionTimeoutMs)
      return undefined
    } catch (error) {
      return nativeFailure(error)
    }
  }

  /** Reports reach JavaScript a little after the call they belong to. */
  async #awaitReports(): Promise<void> {
    const deadlineMs = performance.now() + reportWaitMs
    while (this.#failed.length === 0 && !this.#isPast(deadlineMs)) {
      this.#client?.poll()
      await delay(reportPollMs)
    }
  }

  async #resumed(name: TransactionCall, budgetMs: number): Promise<void> {
    try {
      await this.#slices(name, budgetMs)
    } catch (error) {
      throw this.#failureOf(name, nativeFailure(error))
    }
  }

  /** Makes the same call again while librdkafka says so, until `budgetMs` is over. */
  async #slices(name: TransactionCall, budgetMs: number): Promise<void> {
    const deadlineMs = performance.now() + budgetMs
    for (;;) {
      try {
        await this.#client?.transaction(name, sliceMs[name])
        return
      } catch (error) {
        const isOver = this.#isPast(Math.min(deadlineMs, this.#giveUpAtMs))
        if (isOver || transactionVerdict(nativeFailure(error)) !== 'again') throw error
      }
    }
  }

  #isPast(timeMs: number): boolean {
    return performance.now() >= Math.min(timeMs, this.#giveUpAtMs)
  }

  #connectFailure(failure: NativeFailure): KafkaFailure {
    const message = this.#causes.last ?? describeKafkaCode(failure.code, failure.text)
    return new KafkaFailure('fatal', message, { kafkaCode: failure.code })
  }

  #failureOf(name: TransactionCall, failure: NativeFailure, outcome = ''): KafkaFailure {
    const kind = transactionVerdict(failure) === 'fenced' ? 'fenced' : 'fatal'
    const { transactionalId } = this.#config
    const cause =
      failure.code === kafkaCodes.timedOut
        ? this.#timeoutCause(name)
        : describeKafkaCode(failure.code, failure.text, { transactionalId })
    return new KafkaFailure(kind, outcome === '' ? cause : `${cause} ${outcome}`, {
      kafkaCode: failure.code,
    })
  }

  #timeoutCause(name: TransactionCall): string {
    const broker = this.#causes.last === undefined ? '' : ` ${this.#causes.last}`
    if (name !== 'initTransactions') {
      return `Timeout expired after ${this.#config.transactionTimeoutMs}ms while awaiting ${name}.${broker}`
    }
    return `Timeout expired after ${this.#config.maxBlockMs}ms while awaiting InitProducerId: the transaction coordinator did not answer. On a cluster of fewer than three brokers transaction.state.log.replication.factor must not exceed their number.${broker}`
  }
}
