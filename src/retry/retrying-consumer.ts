import { randomUUID } from 'node:crypto'
import { endsWithin } from '../deadline.ts'
import { TopologyError } from '../topology/finding.ts'
import type { ResolvedTopology } from '../topology/resolved-topology.ts'
import { attemptRecord, postponeRecord, type AttemptParts, type RetryHandler } from './attempt.ts'
import { GroupConsumer, type Partition } from './group-consumer.ts'
import type { QueuedRecord } from './next-record.ts'
import { PartitionWork } from './partition-work.ts'
import type { SourceRecord } from './record.ts'
import { eventSink, type RetryEvent } from './retry-events.ts'
import { stateOfMoved, stateOfNew } from './retry-headers.ts'
import { retryOptions, type RetryOptions } from './retry-options.ts'
import { delayAfterMs } from './retry-policy.ts'
import { retryRoute, type RetryRoute } from './retry-route.ts'
import { memberSettings, stepProducerConfig } from './retry-settings.ts'
import { Settler, type SettlingProducer } from './settler.ts'
import { StepProducer } from './step-producer.ts'

export interface RetryingConsumer {
  readonly group: string
  /** Resolves after `stop()`. Rejects when Kafka will have nothing more to do with this consumer, as when another one has its `instanceId`. */
  readonly ended: Promise<void>
  /** Joins the group. Resolves when Kafka was reached and all topics are there.
   *  @throws {@link TopologyError} for a topic that is missing; {@link KafkaFailure} when Kafka cannot be reached */
  start(): Promise<void>
  /** Begins nothing more, waits for handlers, settles what is done and leaves the group. Idempotent. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Consumes a topic and its retry topic as the file says: a record whose handler fails waits on the retry topic and is tried again, until it
 *  succeeds or its policy gives it up.
 *
 *  Each step is one Kafka transaction of the consumer's offset and the record that goes on: no crash loses a record or doubles one on a
 *  topic. The handler itself runs at least once for each attempt. Partitions are independent; the records of one are handled one after the
 *  other, and one that fails does not hold up those behind it, so that the order within a key holds until one of its records fails.
 *  @throws {@link TopologyError} when the file does not say enough; `KTD_INVALID_OPTION` */
export function retryingConsumer(
  topology: ResolvedTopology,
  topic: string,
  handler: RetryHandler,
  options: RetryOptions,
): RetryingConsumer {
  const route = retryRoute(topology, topic, options.consumer)
  if (route.policy.then === 'external' && !options.onGivenUp) {
    throw new TopologyError(
      `The retry policy of "${topic}" ends outside of Kafka; onGivenUp must take what is given up.`,
    )
  }
  return new Consumer(route, handler, options)
}

const settleOnRevokeMs = 5000

class Consumer implements RetryingConsumer {
  readonly group: string
  readonly ended: Promise<void>
  readonly #route: RetryRoute
  readonly #options: ReturnType<typeof retryOptions>
  readonly #onEvent: (event: RetryEvent) => void
  readonly #attempt: AttemptParts
  /** One for each topic: an assignor that sees both at once gives all partitions of one topic to one member, and of the other to another. */
  readonly #consumers: readonly GroupConsumer[]
  readonly #settler: Settler
  readonly #works = new Map<string, PartitionWork>()
  readonly #calledOff = new AbortController()
  #retryPartitions = 1
  #starting: Promise<void> | undefined
  #stopping: Promise<void> | undefined
  #resolveEnded: () => void = () => undefined
  #rejectEnded: (error: Error) => void = () => undefined

  constructor(route: RetryRoute, handler: RetryHandler, given: RetryOptions) {
    const options = retryOptions(given)
    const { connection, instanceId, sessionTimeoutMs, random = Math.random } = options
    this.group = route.group
    this.#route = route
    this.#options = options
    this.#onEvent = eventSink(options.onEvent)
    this.ended = new Promise((resolve, reject) => {
      this.#resolveEnded = resolve
      this.#rejectEnded = reject
    })
    // Whoever does not look at it learns it from the event.
    this.ended.catch(() => undefined)
    const transactionalId = `${route.group}.${route.topic}.${instanceId ?? randomUUID()}`
    const producerConfig = stepProducerConfig(connection, transactionalId, sessionTimeoutMs)
    const onTrouble = (message: string): void => {
      this.#onEvent({ type: 'trouble', group: route.group, message })
    }
    this.#consumers = route.subscribed.map((topic) => {
      const member = instanceId === undefined ? undefined : `${instanceId}.${topic}`
      const consumer: GroupConsumer = new GroupConsumer({
        settings: memberSettings(connection, route.group, sessionTimeoutMs, member),
        producerConfig,
        topic,
        onRecord: (record) => this.#works.get(keyOf(record))?.push(this.#queued(record)),
        onAssigned: (partitions) => {
          this.#assigned(partitions, consumer)
        },
        onRevoked: (partitions) => this.#revoked(partitions),
        onTrouble,
        onEnd: (error) => {
          onTrouble(error.message)
          this.#rejectEnded(error)
          void this.stop()
        },
      })
      return consumer
    })
    this.#settler = new Settler({
      newProducer: () => new StepProducer(producerConfig, onTrouble),
      onTrouble,
      onProducer: (producer) => this.#lookAtTopics(producer),
      random,
    })
    this.#attempt = {
      route,
      handler,
      onGivenUp: options.onGivenUp,
      retryPartitions: () => this.#retryPartitions,
      onEvent: this.#onEvent,
      onTrouble,
      nowMs: Date.now,
      random,
    }
  }

  async start(): Promise<void> {
    this.#starting ??= this.#start()
    await this.#starting
  }

  async #start(): Promise<void> {
    try {
      // First: it ends a transaction that a process of the same name has left open.
      await this.#settler.start()
      for (const consumer of this.#consumers) await consumer.start(this.#calledOff.signal)
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  async stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    await this.#stopping
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #stop(): Promise<void> {
    this.#calledOff.abort(new Error('The consumer was stopped.'))
    const { stopTimeoutMs } = this.#options
    void this.#close()
    await Promise.all(this.#consumers.map((consumer) => consumer.stopReading()))
    const works = [...this.#works.values()]
    // Once more: there may be partitions that have come meanwhile.
    if (!(await endsWithin(this.#close(), stopTimeoutMs))) for (const work of works) work.callOff()
    await endsWithin(Promise.all(works.map((work) => work.settled())), stopTimeoutMs)
    this.#settler.giveUp()
    await Promise.all(works.map((work) => work.end()))
    await Promise.all(this.#consumers.map((consumer) => consumer.close()))
    await this.#settler.close()
    this.#resolveEnded()
  }

  /** No partition begins anything more. Resolves when what has begun is done. */
  async #close(): Promise<void> {
    await Promise.all([...this.#works.values()].map((work) => work.close()))
  }

  /** Partitions may have been added since the last look. */
  async #lookAtTopics(producer: SettlingProducer): Promise<void> {
    const { topic, retryTopic, deadLetterTopic } = this.#route
    for (const name of [topic, retryTopic, deadLetterTopic]) {
      if (name === undefined) continue
      const partitions = await producer.partitionsOf(name)
      if (partitions === undefined) {
        throw new TopologyError(
          `The topic "${name}" is not on the cluster, or may not be seen: fhir-kafka topology apply creates it.`,
        )
      }
      if (name === retryTopic) this.#retryPartitions = partitions
    }
  }

  #queued(record: SourceRecord): QueuedRecord {
    const { policy, isMine, retryTopic } = this.#route
    const isMoved = record.topic === retryTopic
    const state = isMoved ? stateOfMoved(record) : stateOfNew(record)
    const mine = isMine(record.topic, state)
    const { failedAttempts, notBeforeMs } = state
    return {
      record,
      state,
      isMine: mine,
      dueMs: mine ? notBeforeMs : 0,
      delayMs: failedAttempts > 0 ? delayAfterMs(policy, failedAttempts) : 0,
    }
  }

  #assigned(partitions: readonly Partition[], consumer: GroupConsumer): void {
    const { maxQueuedRecords, maxQueuedBytes } = this.#options
    for (const { topic, partition } of partitions) {
      const place = { topic, partition }
      const work = new PartitionWork({
        begin: (queued, calledOff) => attemptRecord(queued, calledOff, this.#attempt),
        postpone: (queued) => postponeRecord(queued, this.#route),
        settle: (outcomes, calledOff, onSettled) =>
          this.#settler.settle(consumer, place, outcomes, calledOff, onSettled),
        pause: () => {
          consumer.pause(place)
        },
        resume: () => {
          consumer.resume(place)
        },
        maxQueuedRecords,
        maxQueuedBytes,
        nowMs: Date.now,
      })
      this.#works.set(keyOf(place), work)
    }
    this.#tellPartitions('assigned', partitions)
  }

  /** What is done is settled while the group waits; what is under way is left to the next consumer. */
  async #revoked(partitions: readonly Partition[]): Promise<void> {
    await Promise.all(
      partitions.map(async (partition) => {
        const work = this.#works.get(keyOf(partition))
        if (!work) return
        this.#works.delete(keyOf(partition))
        work.callOff()
        await work.close()
        await endsWithin(work.settled(), settleOnRevokeMs)
        await work.end()
      }),
    )
    this.#tellPartitions('revoked', partitions)
  }

  #tellPartitions(type: 'assigned' | 'revoked', partitions: readonly Partition[]): void {
    const places = partitions.map(({ topic, partition }) => ({ topic, partition }))
    this.#onEvent({ type, group: this.group, partitions: places })
  }
}

function keyOf({ topic, partition }: Partition): string {
  return `${topic}/${partition}`
}
