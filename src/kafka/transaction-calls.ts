import { deadline } from '../deadline.ts'
import type { KafkaConsumer, TopicPartitionOffset } from 'node-rdkafka'
import type { CauseReporter } from './cause-reporter.ts'
import { causeNamed } from './kafka-causes.ts'
import { describeKafkaCode, kafkaCodes, KafkaFailure } from './kafka-error.ts'
import { NativeFailure, nativeFailure } from './native-failure.ts'
import type { ProducerConfig } from './producer-config.ts'
import type { CheckpointConsumer } from './rdkafka-checkpoint.ts'
import type { RdkafkaClient, TransactionCall } from './rdkafka-client.ts'
import { watched } from './stalled-topics.ts'
import { transactionVerdict } from './transaction-failure.ts'

/** A blocking call holds a thread, so it comes back soon and is resumed. An abort after a failed record always uses its whole slice. */
const sliceMs: Readonly<Record<TransactionCall | 'sendOffset', number>> = {
  initTransactions: 1000,
  beginTransaction: 0,
  sendOffset: 500,
  commitTransaction: 500,
  abortTransaction: 300,
}

/** What an unanswered call waits for, in the words of Kafka's clients. */
const awaited: Readonly<Record<TransactionCall, string>> = {
  initTransactions: 'InitProducerId',
  beginTransaction: 'beginTransaction',
  commitTransaction: 'commitTransaction',
  abortTransaction: 'abortTransaction',
}

/** A call that was given up before its turn: as one that was not answered. */
const neverBegun = new NativeFailure({
  code: kafkaCodes.timedOut,
  text: 'The call was given up before its turn.',
  isFatal: false,
  isRetriable: false,
  requiresAbort: false,
})

/** Readers of committed records wait while a transaction is open. Nor does a call begin that would come too late. */
const checkpointTurnMs = 10_000
/** For its turn, and as long again. */
const checkpointEndsMs = 2 * checkpointTurnMs
const checkpointNeverEnded = `The checkpoint was not written within ${checkpointEndsMs}ms, and librdkafka does not end the call; its producer is left to itself.`

/** What is given up ends within its slice or, where librdkafka does not look at that, within `socket.timeout.ms`. */
const endingMs = 2000
const neverEnded = 'A call of librdkafka does not end; its producer is left to itself.'

/** The part of a client that transactions need. */
export type TransactionClient = Pick<RdkafkaClient, 'transaction' | 'sendOffset'>

/** The transactional calls of one producer, resumed while librdkafka says so, and what their failures mean. */
export class TransactionCalls {
  readonly #config: ProducerConfig
  readonly #causes: CauseReporter
  #client: TransactionClient | undefined
  /** What was reported while a call was under way. */
  #missingCoordinator: string | undefined
  #underWay: TransactionCall | 'sendOffset' = 'initTransactions'
  #giveUpAtMs = Number.POSITIVE_INFINITY
  readonly #givenUp = new AbortController()
  readonly #abandoned = new AbortController()
  #givingUp: NodeJS.Timeout | undefined
  #abandoning: NodeJS.Timeout | undefined

  constructor(config: ProducerConfig, causes: CauseReporter) {
    this.#config = config
    this.#causes = causes
  }

  /** The client has connected. */
  use(client: TransactionClient): void {
    this.#client = client
  }

  /** From then on nothing is begun or resumed any more. A later call can only make it earlier. */
  giveUpAt(timeMs: number): void {
    if (timeMs >= this.#giveUpAtMs) return
    this.#giveUpAtMs = timeMs
    clearTimeout(this.#givingUp)
    clearTimeout(this.#abandoning)
    const leftMs = timeMs - performance.now()
    this.#givingUp = setTimeout(() => {
      this.#givenUp.abort(neverBegun)
    }, leftMs)
    const socketTimeoutMs = Number(this.#config.global['socket.timeout.ms'])
    this.#abandoning = setTimeout(
      () => {
        this.#abandoned.abort(new KafkaFailure('fatal', neverEnded))
      },
      leftMs + socketTimeoutMs + endingMs,
    )
  }

  /** The call under way was given up, or should have ended long ago, and does not end. Nothing can be done with its producer any more but
   *  to let another one of the same transactional.id fence it. */
  get abandoned(): AbortSignal {
    return this.#abandoned.signal
  }

  /** No call comes any more. */
  end(): void {
    clearTimeout(this.#givingUp)
    clearTimeout(this.#abandoning)
  }

  get isGivenUp(): boolean {
    return performance.now() >= this.#giveUpAtMs
  }

  isPast(timeMs: number): boolean {
    return this.isGivenUp || performance.now() >= timeMs
  }

  /** @throws {@link NativeFailure} of the last slice */
  async run(name: TransactionCall, budgetMs: number): Promise<void> {
    this.#underWay = name
    await this.#resumed(budgetMs, async () =>
      this.#client?.transaction(name, sliceMs[name], this.#givenUp.signal),
    )
  }

  /** Says what is missing while `work` takes long, as long as somebody asks for it. */
  async watched<Result>(
    work: () => Promise<Result>,
    onStall: () => void = this.reportMissingCoordinator,
  ): Promise<Result> {
    return watched(work, onStall, this.#abandoned.signal)
  }

  /** The call under way is not answered, although nothing else is wrong. */
  readonly reportMissingCoordinator = (): void => {
    const { last } = this.#causes
    // What the log has said is more exact.
    if (last !== undefined && last !== this.#missingCoordinator) return
    const cause =
      this.#underWay === 'sendOffset'
        ? causeNamed('group-coordinator-unavailable')
        : causeNamed('coordinator-unavailable', { detail: `Awaiting ${awaited[this.#underWay]}` })
    this.#missingCoordinator = cause.message
    this.#causes.report(cause)
  }

  /** Adds a checkpoint to the open transaction.
   *  @throws {@link NativeFailure} of the last slice */
  async sendCheckpoint(
    consumer: CheckpointConsumer,
    offset: number,
    budgetMs: number,
  ): Promise<void> {
    await this.sendOffset({ ...consumer.partition, offset }, consumer.handle, budgetMs)
  }

  /** Adds an offset of the consumer's group to the open transaction.
   *
   *  It may not end: librdkafka asks for the group's coordinator three times within half a second, and then waits for a broker to come or go,
   *  whatever time it was given (https://github.com/confluentinc/librdkafka/issues/5456). So that is how a coordinator that is created, or
   *  elected anew, is waited for. After a while the producer is {@link abandoned}; a call that was slow only ends by itself, and commits nothing.
   *  @throws {@link NativeFailure} of the last slice */
  async sendOffset(
    place: TopicPartitionOffset,
    consumer: KafkaConsumer,
    budgetMs: number,
  ): Promise<void> {
    this.#underWay = 'sendOffset'
    await this.#resumed(budgetMs, async () => {
      const turn = deadline(checkpointTurnMs, this.#givenUp.signal)
      const abandoning = setTimeout(() => {
        const { last } = this.#causes
        const message =
          last === undefined ? checkpointNeverEnded : `${checkpointNeverEnded} ${last}`
        this.#abandoned.abort(new KafkaFailure('fatal', message))
      }, checkpointEndsMs)
      try {
        await this.#client?.sendOffset(place, consumer, sliceMs.sendOffset, turn.signal)
        this.#abandoned.signal.throwIfAborted()
      } catch (error) {
        throw error === turn.signal.reason ? neverBegun : error
      } finally {
        clearTimeout(abandoning)
        turn.dispose()
      }
    })
  }

  /** The error of a call that leaves the producer dead.
   *  @param outcome of the transaction, when the call was begun */
  failureOf(name: TransactionCall, failure: NativeFailure, outcome = ''): KafkaFailure {
    if (failure === neverBegun) {
      const message = `The producer was closed before ${awaited[name]} had its turn.`
      const certainty = outcome === '' ? '' : ' Nothing of the transaction was committed.'
      return new KafkaFailure('fatal', `${message}${certainty}`, { kafkaCode: failure.code })
    }
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

  async #resumed(budgetMs: number, slice: () => Promise<void>): Promise<void> {
    const deadlineMs = performance.now() + budgetMs
    let before: NativeFailure | undefined
    for (;;) {
      try {
        await slice()
        return
      } catch (error) {
        // What was begun once is not one that never was.
        if (error === neverBegun) throw before ?? neverBegun
        const isOver = this.isPast(deadlineMs)
        const failure = nativeFailure(error)
        if (isOver || transactionVerdict(failure) !== 'again') throw error
        before = failure
      }
    }
  }

  /** Once: what was said while the call was under way is not said in other words. */
  #timeoutCause(name: TransactionCall): string {
    const { last } = this.#causes
    if (last !== undefined && last === this.#missingCoordinator) return last
    const { maxBlockMs, transactionTimeoutMs } = this.#config
    const budgetMs = name === 'initTransactions' ? maxBlockMs : transactionTimeoutMs
    const detail = `Timeout expired after ${budgetMs}ms while awaiting ${awaited[name]}`
    const sentence =
      name === 'initTransactions'
        ? causeNamed('coordinator-unavailable', { detail }).message
        : `${detail}.`
    return last === undefined ? sentence : `${sentence} ${last}`
  }
}
