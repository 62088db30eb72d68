import type { Metadata } from 'node-rdkafka'
import { endsWithin } from '../../deadline.ts'
import { silentLogger } from '../../observability/logger.ts'
import type { AllowedPlaces } from '../allowed-places.ts'
import { serverTexts } from '../bootstrap-servers.ts'
import { CauseReporter } from '../cause-reporter.ts'
import { causeNamed, causeOfCode, type KafkaCause, type KafkaCauseName } from '../kafka-causes.ts'
import { checkpointPlace } from '../checkpoint-place.ts'
import { isKafkaError } from '../kafka-error.ts'
import { nativeFailure } from '../native-failure.ts'
import type { KafkaParameterValues } from '../parameter-table.ts'
import { toProducerConfig, type ProducerConfig } from '../producer-config.ts'
import type { PageProducer } from '../producer.ts'
import { RdkafkaClient } from '../rdkafka-client.ts'
import { createTransactionalProducer } from '../rdkafka-transactional-producer.ts'
import { partitionsOf } from '../topic-state.ts'
import { causeOnTheWay } from './broker-network.ts'
import { Findings, type PreflightFinding } from './findings.ts'
import { judgeAbsence, judgeLimits } from './limit-findings.ts'
import { readTopicLimits } from './topic-limits.ts'

/** A destination as it would connect. */
export interface PreflightSubject extends Pick<AllowedPlaces, 'isServerAllowed'> {
  readonly values: KafkaParameterValues
  /** At least once with transactions. The preflight adds `_preflight` to `name`, so that it fences nobody: no id of FHIR has a `_`. */
  readonly transactions?: {
    /** Transactional id and consumer group. */
    readonly name: string
    /** Whether an offset is to be kept, and on which topic of its own. */
    readonly checkpoint: { readonly topic: string | undefined } | undefined
  }
}

export interface PreflightLimits {
  readonly timeoutMs: number
  /** Ends it early. */
  readonly signal?: AbortSignal
}

const connectWithinMs = 3000
const answerWithinMs = 2000
const maxBrokers = 10
/** What an unanswered transactional call may take beyond its time, its end included. */
const lastSliceMs = 2000
/** It passes, or the call that it keeps waiting says what is to be done. */
const toldByCall: ReadonlySet<KafkaCauseName> = new Set([
  'coordinator-loading',
  'transactional-id-forbidden',
])
const transactionLog = '__transaction_state'

/** Everything that is wrong with a destination as far as it shows without sending: each broker's name, connection and certificate, the login, the topic, the
 *  rights, replicas and limits. No record is written and no producer fenced. At the deadline it answers with what it knows. Never rejects.
 *  @param subject its values have no {@link parameterFaults} */
export async function preflight(
  subject: PreflightSubject,
  { timeoutMs, signal }: PreflightLimits,
): Promise<readonly PreflightFinding[]> {
  const run = new Preflight(subject, performance.now() + timeoutMs, signal)
  await endsWithin(run.all(), timeoutMs)
  return run.conclude(timeoutMs)
}

class Preflight {
  readonly #subject: PreflightSubject
  readonly #config: ProducerConfig
  readonly #deadlineMs: number
  readonly #concluded = new AbortController()
  readonly #over: AbortSignal
  readonly #findings = new Findings()
  readonly #reachable = new Set<string>()
  /** The login has succeeded. */
  #isConnected = false
  /** The topic is there, and the principal may know it. */
  #isVisible = false
  /** Fewest replicas in sync of a partition. */
  #inSync = 0

  constructor(subject: PreflightSubject, deadlineMs: number, signal: AbortSignal | undefined) {
    this.#subject = subject
    this.#deadlineMs = deadlineMs
    const concluded = this.#concluded.signal
    this.#over = signal ? AbortSignal.any([signal, concluded]) : concluded
    const { values, isServerAllowed } = subject
    const config = toProducerConfig(values, 'best-effort', undefined, isServerAllowed)
    const own = {
      // A producer id would need rights that say nothing of this topic.
      'enable.idempotence': false,
      // To ask about a topic makes a producer look after it, which would create it.
      'allow.auto.create.topics': false,
    }
    this.#config = { ...config, global: { ...config.global, ...own } }
  }

  conclude(timeoutMs: number): readonly PreflightFinding[] {
    this.#concluded.abort()
    return this.#findings.conclude(timeoutMs)
  }

  async all(): Promise<void> {
    const { bootstrapServers, kafkaTopic } = this.#subject.values
    await this.#findings.step('the way to the brokers', () =>
      this.#lookAtWays(serverTexts(bootstrapServers)),
    )
    await this.#findings.step('the login and the topic', () => this.#withClient())
    await this.#findings.step('the right to write and the limits of the topic', () =>
      this.#lookAtLimits(kafkaTopic),
    )
    if (this.#subject.transactions) {
      await this.#findings.step('transactions and the checkpoint', () => this.#lookAtTransactions())
    }
  }

  #isOver(): boolean {
    return this.#over.aborted || performance.now() >= this.#deadlineMs
  }

  async #lookAtWays(brokers: readonly string[]): Promise<void> {
    const unseen = brokers.filter(
      (broker) => !this.#findings.isAbout(broker) && !this.#reachable.has(broker),
    )
    await Promise.all(
      unseen.slice(0, maxBrokers).map(async (broker) => {
        const cause = await causeOnTheWay(broker, this.#config, this.#over)
        if (cause) this.#findings.add('error', cause)
        else this.#reachable.add(broker)
      }),
    )
  }

  async #withClient(): Promise<void> {
    if (this.#isOver() || this.#reachable.size === 0) return
    const causes = new CauseReporter((cause) => {
      this.#noteConnection(cause)
    })
    let client: RdkafkaClient | undefined
    try {
      client = new RdkafkaClient(this.#config, causes, () => undefined)
      await client.connect(connectWithinMs, this.#over)
      this.#isConnected = true
      await this.#lookAtTopic(client)
    } catch (error) {
      const { code, text } = nativeFailure(error)
      causes.reportUnlessKnown(causeOfCode(code, text))
    } finally {
      await client?.disconnect()
    }
  }

  /** The way to a broker has been looked at already, in more exact words. */
  #noteConnection(cause: KafkaCause): void {
    if (cause.name !== undefined && toldByCall.has(cause.name)) return
    if (cause.name === 'throttled') this.#findings.add('information', cause)
    else if (cause.broker === undefined || !this.#findings.isAbout(cause.broker)) {
      this.#findings.add('error', cause)
    }
  }

  async #lookAtTopic(client: RdkafkaClient): Promise<void> {
    const { kafkaTopic } = this.#subject.values
    const metadata = await client.topicMetadata(kafkaTopic, answerWithinMs, this.#over)
    const { brokers } = metadata
    // Bootstrap servers answer with the addresses that records go to.
    const advertised = brokers.map(
      ({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`,
    )
    await this.#lookAtWays(advertised)
    const partitions = partitionsOf(metadata, kafkaTopic)
    this.#isVisible = partitions.length > 0
    if (partitions.some(({ leader }) => leader < 0)) {
      this.#findings.add('error', causeNamed('leader-unavailable', { kafkaTopic }))
    }
    this.#inSync = Math.min(...partitions.map(({ isrs }) => isrs.length))
    if (brokers.length < 2) return
    this.#lookAtReplicas(metadata, kafkaTopic)
    if (!this.#subject.transactions) return
    const ofLog = await client.topicMetadata(transactionLog, answerWithinMs, this.#over)
    this.#lookAtReplicas(ofLog, transactionLog)
  }

  /** One copy may be meant; it must be known. What the principal may not see is not judged. */
  #lookAtReplicas(metadata: Metadata, kafkaTopic: string): void {
    if (partitionsOf(metadata, kafkaTopic).some(({ replicas }) => replicas.length === 1)) {
      this.#findings.add('warning', causeNamed('single-copy', { kafkaTopic }))
    }
  }

  async #lookAtLimits(kafkaTopic: string): Promise<void> {
    const [broker] = this.#reachable
    if (this.#isOver() || broker === undefined || !this.#isConnected) return
    const limits = await readTopicLimits(broker, kafkaTopic, this.#config, answerWithinMs)
    if (this.#isVisible) {
      const { maxRequestSizeBytes } = this.#config
      const needs = { kafkaTopic, inSync: this.#inSync, maxRequestSizeBytes }
      judgeLimits(limits, needs, this.#findings)
    } else judgeAbsence(limits, kafkaTopic, this.#findings)
  }

  async #lookAtTransactions(): Promise<void> {
    const { values, transactions, isServerAllowed } = this.#subject
    if (this.#isOver() || !this.#isConnected || !transactions) return
    const name = `${transactions.name}_preflight`
    const leftMs = Math.max(1, Math.floor(this.#deadlineMs - performance.now()))
    const config = toProducerConfig(
      // It ends before the deadline, and says why.
      {
        ...values,
        maxBlockMs: Math.min(values.maxBlockMs ?? leftMs, Math.max(1, leftMs - lastSliceMs)),
      },
      'at-least-once',
      name,
      isServerAllowed,
    )
    const checkpoint =
      transactions.checkpoint &&
      checkpointPlace(name, values.kafkaTopic, transactions.checkpoint.topic)
    const producer = createTransactionalProducer(config, silentLogger, {
      onError: (_message, cause) => {
        this.#noteConnection(cause)
      },
      ...(checkpoint ? { checkpoint } : {}),
    })
    const close = (): void => {
      void producer.close(0)
    }
    this.#over.addEventListener('abort', close)
    try {
      await this.#tryTransactions(producer, transactions.name, checkpoint !== undefined)
    } finally {
      this.#over.removeEventListener('abort', close)
      await producer.close(0)
    }
  }

  async #tryTransactions(
    producer: PageProducer,
    prefix: string,
    hasCheckpoint: boolean,
  ): Promise<void> {
    try {
      await producer.start()
      if (hasCheckpoint && this.#isVisible) await producer.probeCheckpoint()
    } catch (error) {
      if (!isKafkaError(error)) throw error
      // Another preflight with the same id: it may use it, so this one may.
      if (error.kind === 'fenced') return
      const { name } = causeOfCode(error.kafkaCode, error.message)
      const isRight = name === 'transactional-id-forbidden' || error.kind === 'no-checkpoint'
      const advice = isRight
        ? ` The preflight uses a name of its own; grant the right for the prefix "${prefix}".`
        : ''
      const severity = error.kind === 'no-checkpoint' ? 'warning' : 'error'
      this.#findings.add(severity, { name, message: `${error.message}${advice}` })
    }
  }
}
