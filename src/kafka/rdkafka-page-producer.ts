import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '../observability/logger.ts'
import { Turns } from '../turns.ts'
import { CauseReporter } from './cause-reporter.ts'
import { kafkaCodes, KafkaFailure } from './kafka-error.ts'
import { nativeFailure, type NativeError, type NativeFailure } from './native-failure.ts'
import type { ProducerConfig } from './producer-config.ts'
import type { KafkaRecord, PageProducer, ProducerOptions } from './producer.ts'
import { closedFailure, connectClient } from './producer-connection.ts'
import type { DeliveryFailure, RdkafkaClient } from './rdkafka-client.ts'
import { refuseTooLarge } from './record-size.ts'
import { causeOfStall, watched } from './stalled-topics.ts'
import { abortedFailure, refusedFailure } from './transaction-failure.ts'

/** @param config made with kind `at-least-once` and no transactional.id */
export function createPageProducer(
  config: ProducerConfig,
  logger: Logger,
  options: ProducerOptions = {},
): PageProducer {
  return new RdkafkaPageProducer(config, logger, options)
}

const idlePollMs = 100
/** Reports come with a poll; each millisecond is one of the latency. What takes long may take a little longer. */
const busyPollMs = 1
const slowPollMs = 20
const polledBusilyMs = 100

/** What the records of one page have come to. */
interface SentPage {
  unsettled: number
  readonly failed: DeliveryFailure[]
}

/** Sends pages without transactions: faster, and whoever reads sees records at once, also those of a page that failed in the middle and comes again.
 *
 *  Within a page the order holds whatever fails: librdkafka gives the client up rather than let a record overtake one that failed before
 *  it (`enable.gapless.guarantee`). So after any failure there is a new client. Of a client's very first batches Kafka knows no sequence yet:
 *  those in flight behind a refused one may be written, and come again with the page. */
class RdkafkaPageProducer implements PageProducer {
  readonly checkpointTopic = undefined
  readonly #config: ProducerConfig
  readonly #logger: Logger
  readonly #causes: CauseReporter
  #client: RdkafkaClient | undefined
  readonly #turns = new Turns()
  readonly #calledOff = new AbortController()
  #closing: Promise<void> | undefined
  #giveUpAtMs = Number.POSITIVE_INFINITY
  #polling: NodeJS.Timeout | undefined

  constructor(config: ProducerConfig, logger: Logger, { onError }: ProducerOptions) {
    this.#config = config
    this.#logger = logger
    this.#causes = new CauseReporter((cause) => onError?.(cause.message, cause))
  }

  async start(): Promise<void> {
    await this.#exclusively(async () => {
      await this.#connect()
      if (this.#closing) throw closedFailure()
      this.#poll()
    })
  }

  async sendPage(
    records: readonly KafkaRecord[],
    beforeCommit?: () => Promise<number | undefined>,
  ): Promise<void> {
    if (records.length === 0) return
    refuseTooLarge(records, this.#config.maxRequestSizeBytes)
    await this.#exclusively(async () => {
      const client = this.#client ?? (await this.#connect())
      // A record that is handed over cannot be taken back.
      await beforeCommit?.()
      try {
        await watched(
          () => this.#send(client, records),
          () => void this.#explainStall(client, records),
        )
        this.#causes.forget()
      } catch (error) {
        await this.#disconnect()
        throw error
      }
    })
  }

  readCheckpoint(): Promise<number | undefined> {
    return Promise.reject(noCheckpoint())
  }

  probeCheckpoint(): Promise<void> {
    return Promise.reject(noCheckpoint())
  }

  async close(timeoutMs: number): Promise<void> {
    this.#giveUpAtMs = Math.min(this.#giveUpAtMs, performance.now() + timeoutMs)
    this.#calledOff.abort(new Error('The connect was called off.'))
    this.#closing ??= this.#close()
    await this.#closing
  }

  async #close(): Promise<void> {
    await this.#turns.ended()
    clearTimeout(this.#polling)
    await this.#disconnect()
  }

  async #exclusively(work: () => Promise<void>): Promise<void> {
    if (this.#closing) throw closedFailure()
    await this.#turns.take(work)
  }

  #isGivenUp(): boolean {
    return performance.now() >= this.#giveUpAtMs
  }

  async #connect(): Promise<RdkafkaClient> {
    this.#client = await connectClient({
      config: this.#config,
      causes: this.#causes,
      onDelivery: settle,
      calledOff: this.#calledOff.signal,
    })
    return this.#client
  }

  async #disconnect(): Promise<void> {
    const client = this.#client
    this.#client = undefined
    await client?.disconnect()
  }

  async #explainStall(client: RdkafkaClient, [first]: readonly KafkaRecord[]): Promise<void> {
    const cause = first && (await causeOfStall(client, first.kafkaTopic, this.#causes))
    if (cause && this.#client === client) this.#causes.report(cause)
  }

  async #send(client: RdkafkaClient, records: readonly KafkaRecord[]): Promise<void> {
    const page: SentPage = { unsettled: 0, failed: [] }
    const fatal = await this.#handOver(client, records, page)
    const slowFromMs = performance.now() + polledBusilyMs
    while (page.unsettled > 0) {
      if (this.#isGivenUp()) throw closedFailure()
      client.poll()
      await delay(performance.now() < slowFromMs ? busyPollMs : slowPollMs)
    }
    const cause = page.failed.find(({ error }) => error.code !== kafkaCodes.purgedInQueue)
    const failure = cause?.error ?? fatal ?? page.failed[0]?.error
    if (failure) throw this.#failed(failure, records, page)
  }

  /** @returns why no more than the first records were taken: one of them has failed meanwhile, and its report says how */
  async #handOver(
    client: RdkafkaClient,
    records: readonly KafkaRecord[],
    page: SentPage,
  ): Promise<NativeFailure | undefined> {
    for (const [index, record] of records.entries()) {
      try {
        await this.#produce(client, record, page)
        page.unsettled++
      } catch (error) {
        const failure = nativeFailure(error)
        if (failure.code === kafkaCodes.fatal) return failure
        throw refusedFailure(failure, records, index)
      }
    }
    return undefined
  }

  async #produce(client: RdkafkaClient, record: KafkaRecord, page: SentPage): Promise<void> {
    for (;;) {
      try {
        client.produce(record, page)
        return
      } catch (error) {
        if (nativeFailure(error).code !== kafkaCodes.queueFull || this.#isGivenUp()) throw error
      }
      client.poll()
      await nextTurn()
    }
  }

  #failed(error: NativeError, records: readonly KafkaRecord[], page: SentPage): KafkaFailure {
    const failure = abortedFailure(error, records, page.failed, undefined)
    const { last } = this.#causes
    if (failure.kind === 'poison' || last === undefined) return failure
    this.#logger.debug({ code: error.code }, 'records of a page were not acknowledged')
    return new KafkaFailure('retriable', `${failure.message} ${last}`, {
      kafkaCode: failure.kafkaCode,
    })
  }

  #poll(): void {
    this.#client?.poll()
    this.#polling = setTimeout(() => {
      this.#poll()
    }, idlePollMs)
    this.#polling.unref()
  }
}

/** The page was given to `produce` with each of its records. */
function settle(opaque: unknown, failure: DeliveryFailure | undefined): void {
  const page = opaque as SentPage
  page.unsettled--
  if (failure) page.failed.push(failure)
}

function noCheckpoint(): KafkaFailure {
  return new KafkaFailure(
    'no-checkpoint',
    'The option transactional is false, so a crash can send events twice.',
  )
}
