import type { TestContext } from 'node:test'
import rdkafka from 'node-rdkafka'
import { rdkafkaCall } from '../../../src/kafka/rdkafka-call.ts'
import type { RetryHandler } from '../../../src/retry/attempt.ts'
import type { RetryEvent } from '../../../src/retry/retry-events.ts'
import type { RetryOptions } from '../../../src/retry/retry-options.ts'
import { retryingConsumer, type RetryingConsumer } from '../../../src/retry/retrying-consumer.ts'
import type { ResolvedTopology } from '../../../src/topology/resolved-topology.ts'
import { createTopic, testKafka, uniqueName } from '../../helpers/kafka.ts'
import { topologyOf } from '../../helpers/topology.ts'

export interface Setting {
  readonly bootstrapServers: string
  readonly topology: ResolvedTopology
  /** The file, for whoever resolves it itself. */
  readonly lines: string
  readonly topic: string
  readonly retryTopic: string
  readonly deadLetterTopic: string
}

export interface SettingOptions {
  readonly policy: string
  /** Default 1. */
  readonly partitions?: number
  readonly retryPartitions?: number
  readonly consumers?: string
  /** `retry` of the topic; default: the policy. */
  readonly retry?: string
  readonly bootstrapServers?: string
  readonly retryConfig?: Readonly<Record<string, string>>
}

/** A topic with a retry policy, and its topics on the broker. */
export async function retrySetting({
  policy,
  partitions = 1,
  retryPartitions = partitions,
  consumers = 'web/Packing',
  retry = 'policy',
  bootstrapServers,
  retryConfig = {},
}: SettingOptions): Promise<Setting> {
  const brokers = bootstrapServers ?? (await testKafka()).bootstrapServers
  const topic = uniqueName('orders')
  const lines = `services: { web: { groupPrefix: ${topic}- } }
retryPolicies: { policy: ${policy} }
topics: { ${topic}: { partitions: ${partitions}, by: [web/Checkout], to: [${consumers}], retry: ${retry} } }
`
  const [retryTopic, deadLetterTopic] = [`${topic}.retry`, `${topic}.dlq`]
  await createTopic(brokers, topic, { partitions })
  await createTopic(brokers, retryTopic, { partitions: retryPartitions, config: retryConfig })
  await createTopic(brokers, deadLetterTopic, { partitions })
  return {
    bootstrapServers: brokers,
    lines,
    topology: topologyOf(lines),
    topic,
    retryTopic,
    deadLetterTopic,
  }
}

/** What a handler fails with: its code tells how, its text must be told nowhere. */
export class Coded extends Error {
  readonly code: string
  constructor(code: string) {
    super('text with a name of a person')
    this.code = code
  }
}

/** A consumer that is stopped after the test, and what it tells. */
export interface Running {
  readonly consumer: RetryingConsumer
  readonly events: Events
}

export async function startConsumer(
  t: TestContext,
  setting: Setting,
  handler: RetryHandler,
  options: Partial<RetryOptions> = {},
): Promise<Running> {
  const events = new Events()
  const consumer = retryingConsumer(setting.topology, setting.topic, handler, {
    connection: { 'bootstrap.servers': setting.bootstrapServers },
    sessionTimeoutMs: 6000,
    onEvent: events.hear,
    ...options,
  })
  t.after(() => consumer.stop())
  await consumer.start()
  return { consumer, events }
}

const longMs = 60_000

/** Everything that was told; `until` waits for what is to come. */
export class Events {
  readonly heard: RetryEvent[] = []
  readonly #waiting = new Set<() => void>()

  readonly hear = (event: RetryEvent): void => {
    this.heard.push(event)
    for (const wake of this.#waiting) wake()
  }

  of<Type extends RetryEvent['type']>(type: Type): Extract<RetryEvent, { type: Type }>[] {
    return this.heard.filter(
      (event): event is Extract<RetryEvent, { type: Type }> => event.type === type,
    )
  }

  /** Waits until it holds of what was told, for as long as something is told now and then. */
  async until(holds: (events: this) => boolean): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        timer.refresh()
        if (!holds(this)) return
        leave()
        resolve()
      }
      const timer = setTimeout(() => {
        leave()
        const last = this.heard.slice(-10).map((event) => JSON.stringify(event))
        reject(new Error(`Nothing new within ${longMs} ms; the last events: ${last.join('\n')}`))
      }, longMs)
      const leave = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(look)
      }
      this.#waiting.add(look)
      look()
    })
  }
}

export interface WrittenRecord {
  readonly key?: string | Buffer | null
  readonly value: string | null
  readonly partition?: number
  readonly headers?: Readonly<Record<string, string>>
}

/** Writes records, each with its own acknowledgement. */
export async function write(
  bootstrapServers: string,
  topic: string,
  records: readonly WrittenRecord[],
): Promise<void> {
  const producer = new rdkafka.Producer(
    { 'bootstrap.servers': bootstrapServers, dr_cb: true, 'linger.ms': 5 },
    { acks: -1 },
  )
  await rdkafkaCall((done) => producer.connect({ timeout: 20_000 }, done))
  producer.setPollInterval(20)
  try {
    await new Promise<void>((resolve, reject) => {
      let left = records.length
      producer.on('delivery-report', (error) => {
        if (error as unknown) reject(new Error(error.message))
        else if (--left === 0) resolve()
      })
      for (const { key = null, value, partition, headers = {} } of records) {
        const bytes = value === null ? null : Buffer.from(value)
        const list = Object.entries(headers).map(([name, text]) => ({ [name]: text }))
        producer.produce(topic, partition ?? null, bytes, key, null, undefined, list)
      }
    })
  } finally {
    await new Promise((resolve) => producer.disconnect(1000, resolve))
  }
}
