import type { KafkaConsumer } from 'node-rdkafka'
import { unlessAborted } from '../deadline.ts'
import { CauseReporter } from '../kafka/cause-reporter.ts'
import { describeKafkaCode, isUnanswered, KafkaFailure } from '../kafka/kafka-error.ts'
import { nativeFailure, type NativeFailure } from '../kafka/native-failure.ts'
import type { ProducerConfig } from '../kafka/producer-config.ts'
import { connectClient } from '../kafka/producer-connection.ts'
import type { DeliveryFailure, RdkafkaClient } from '../kafka/rdkafka-client.ts'
import { TransactionCalls } from '../kafka/transaction-calls.ts'
import { transactionVerdict } from '../kafka/transaction-failure.ts'
import { nativeRecord, type OutgoingRecord, type RecordPlace } from './record.ts'

const pollIntervalMs = 20
const metadataTimeoutMs = 5000

/** What is committed together. */
export interface Step {
  readonly records: readonly OutgoingRecord[]
  readonly offset?: OffsetOfGroup
}

/** Behind the last record that a step is about, and a consumer of the group whose offset that is. */
interface OffsetOfGroup {
  readonly place: RecordPlace
  readonly consumer: KafkaConsumer
}

/** Writes steps, each in one Kafka transaction. Calls are made one after the other. */
export class StepProducer {
  readonly #config: ProducerConfig
  readonly #causes: CauseReporter
  readonly #calls: TransactionCalls
  readonly #failed: DeliveryFailure[] = []
  #client: RdkafkaClient | undefined
  #polling: NodeJS.Timeout | undefined
  #isDead = false
  /** It does not end. */
  #abandoned: Promise<void> | undefined

  constructor(config: ProducerConfig, onCause: (message: string) => void) {
    this.#config = config
    this.#causes = new CauseReporter(({ message }) => {
      if (!this.#calls.abandoned.aborted) onCause(message)
    })
    this.#calls = new TransactionCalls(config, this.#causes)
  }

  /** Its transaction may have been committed or not, and it can do nothing more; another producer of the same transactional.id can. */
  get isDead(): boolean {
    return this.#isDead
  }

  /** Connects, fences every older producer of the same transactional.id, and completes or aborts its transaction.
   *  @throws {@link KafkaFailure}; it can only be closed then */
  async start(calledOff: AbortSignal): Promise<void> {
    this.#client = await connectClient({
      config: this.#config,
      causes: this.#causes,
      onDelivery: (_opaque, failure) => {
        if (failure) this.#failed.push(failure)
      },
      calledOff,
    })
    this.#calls.use(this.#client)
    this.#polling = setInterval(() => {
      this.#client?.poll()
    }, pollIntervalMs)
    this.#polling.unref()
    try {
      await this.#calls.run('initTransactions', this.#config.maxBlockMs)
      this.#causes.forget()
    } catch (error) {
      this.#isDead = true
      throw this.#calls.failureOf('initTransactions', nativeFailure(error))
    }
  }

  /** @throws {@link KafkaFailure} `retriable` when nothing of the step is committed; else that is unknown, and this producer is dead */
  async commit({ records, offset }: Step): Promise<void> {
    this.#failed.length = 0
    const budgetMs = this.#config.transactionTimeoutMs
    await this.#begin()
    try {
      for (const record of records) this.#client?.produce(nativeRecord(record))
      if (offset) await this.#sendOffset(offset, budgetMs)
    } catch (error) {
      if (this.#abandoned) throw error
      throw await this.#aborted(nativeFailure(error))
    }
    try {
      await this.#calls.run('commitTransaction', budgetMs)
      this.#causes.forget()
    } catch (error) {
      const failure = nativeFailure(error)
      if (transactionVerdict(failure) === 'abort') throw await this.#aborted(failure)
      this.#isDead = true
      throw this.#calls.failureOf('commitTransaction', failure)
    }
  }

  /** @returns undefined for a topic that is not there, or that the principal may not see
   *  @throws {@link NativeFailure} */
  async partitionsOf(topic: string): Promise<number | undefined> {
    const metadata = await this.#client?.topicMetadata(topic, metadataTimeoutMs)
    return metadata?.topics.find(({ name }) => name === topic)?.partitions.length || undefined
  }

  /** The call under way ends within its slice. */
  giveUp(): void {
    this.#calls.giveUpAt(performance.now())
  }

  /** Waits for nothing: no call may be under way but one that does not end, which keeps its client until it does. Never rejects. */
  async close(): Promise<void> {
    this.#isDead = true
    if (this.#abandoned) void this.#abandoned.catch(() => undefined).then(() => this.#disconnect())
    else await this.#disconnect()
  }

  async #disconnect(): Promise<void> {
    clearInterval(this.#polling)
    this.#calls.end()
    await this.#client?.disconnect()
  }

  async #sendOffset({ place, consumer }: OffsetOfGroup, budgetMs: number): Promise<void> {
    const { abandoned } = this.#calls
    const sent = this.#calls.sendOffset(place, consumer, budgetMs)
    try {
      await unlessAborted(sent, abandoned)
    } catch (error) {
      if (abandoned.aborted) {
        this.#isDead = true
        this.#abandoned = sent
      }
      throw error
    }
  }

  /** begin's error carries no flags, only a code. */
  async #begin(): Promise<void> {
    try {
      await this.#calls.run('beginTransaction', 0)
    } catch (error) {
      this.#isDead = true
      throw this.#calls.failureOf('beginTransaction', nativeFailure(error))
    }
  }

  async #aborted(failure: NativeFailure): Promise<KafkaFailure> {
    try {
      await this.#calls.run('abortTransaction', this.#config.transactionTimeoutMs)
    } catch {
      // Kafka ends the transaction without it: when the next producer starts, or after its time.
      this.#isDead = true
    }
    // A report says more than the call that only says that a record has failed.
    const report = this.#failed.find(({ error }) => !error.text.startsWith('purged'))
    const { code, text } = report?.error ?? failure
    const context = report === undefined ? {} : { kafkaTopic: report.kafkaTopic }
    const message = describeKafkaCode(code, text, context)
    const cause = isUnanswered(code) ? this.#causes.last : undefined
    return new KafkaFailure('retriable', cause === undefined ? message : `${message} ${cause}`, {
      kafkaCode: code,
    })
  }
}
