import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import rdkafka from 'node-rdkafka'
import { rdkafkaCall } from '../../src/kafka/rdkafka-call.ts'
import type { KafkaAddresses, KafkaBroker, KafkaBrokerOptions } from './kafka-broker.ts'
import { startKafkaBroker } from './kafka-broker.ts'
import type { CleanUp } from './postgres.ts'

export type { KafkaAddresses, KafkaBroker } from './kafka-broker.ts'

let sharedBroker: Promise<KafkaAddresses> | undefined

/** The shared broker: of the runner (TEST_KAFKA_STATE names the file with its addresses), else one that ends with this process.
 *  Use topics, groups and transactional ids of your own on it (`uniqueName`). */
export function testKafka(): Promise<KafkaAddresses> {
  return (sharedBroker ??= start())

  async function start(): Promise<KafkaAddresses> {
    assertFeatures()
    const state = process.env['TEST_KAFKA_STATE']
    if (state === undefined) return startKafkaBroker()
    return JSON.parse(await readFile(state, 'utf8')) as KafkaAddresses
  }
}

/** A broker of its own, for tests that kill or pause it. */
export async function privateKafka(
  t: CleanUp,
  options: KafkaBrokerOptions = {},
): Promise<KafkaBroker> {
  assertFeatures()
  const broker = await startKafkaBroker(options)
  t.after?.(() => broker.stop())
  return broker
}

/** Without OpenSSL's headers node-rdkafka builds without a word, but without TLS and SCRAM. */
function assertFeatures(): void {
  const missing = ['ssl', 'sasl_scram', 'gzip'].filter(
    (feature) => !rdkafka.features.includes(feature),
  )
  if (missing.length === 0) return
  throw new Error(
    `node-rdkafka was built without ${missing.join(', ')}. Install libssl-dev and zlib1g-dev, then run: npm rebuild node-rdkafka`,
  )
}

export function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(6).toString('hex')}`
}

export interface TopicOptions {
  /** Default 1. */
  readonly partitions?: number
  readonly config?: Readonly<Record<string, string>>
}

/** A topic of its own for one test. */
export async function newTopic(
  bootstrapServers: string,
  options: TopicOptions = {},
): Promise<string> {
  const topic = uniqueName('topic')
  await createTopic(bootstrapServers, topic, options)
  return topic
}

export async function createTopic(
  bootstrapServers: string,
  topic: string,
  { partitions = 1, config = {} }: TopicOptions = {},
): Promise<void> {
  const admin = rdkafka.AdminClient.create({ 'bootstrap.servers': bootstrapServers, log_level: 0 })
  try {
    await rdkafkaCall((done) => {
      admin.createTopic(
        { topic, num_partitions: partitions, replication_factor: 1, config: { ...config } },
        30_000,
        done,
      )
    })
  } finally {
    admin.disconnect()
  }
}

export interface ConsumedRecord {
  readonly key: string | null
  readonly value: string | null
  readonly headers: Readonly<Record<string, string>>
  readonly partition: number
  readonly offset: number
}

export interface ConsumeOptions {
  /** Default 30 s. */
  readonly deadlineMs?: number
  /** Default `read_committed`. */
  readonly isolation?: 'read_committed' | 'read_uncommitted'
  /** Further librdkafka settings, for secured listeners. */
  readonly configuration?: Readonly<Record<string, string>>
}

/** Reads every partition of a topic from its beginning until `count` records are there.
 *  Records of one partition are in order. Fails at the deadline, saying what was read. */
export async function consumeRecords(
  bootstrapServers: string,
  topic: string,
  count: number,
  options: ConsumeOptions = {},
): Promise<ConsumedRecord[]> {
  return consumeUntil(bootstrapServers, topic, (records) => records.length >= count, options)
}

/** Like `consumeRecords`, until the condition holds for all that was read so far. */
export async function consumeUntil(
  bootstrapServers: string,
  topic: string,
  isDone: (records: readonly ConsumedRecord[]) => boolean,
  options: ConsumeOptions = {},
): Promise<ConsumedRecord[]> {
  const { deadlineMs = 30_000, isolation = 'read_committed', configuration } = options
  const consumer = new rdkafka.KafkaConsumer(
    {
      'bootstrap.servers': bootstrapServers,
      'group.id': uniqueName('consume-records'),
      'enable.auto.commit': false,
      'isolation.level': isolation,
      'reconnect.backoff.max.ms': 500,
      'fetch.wait.max.ms': 50,
      log_level: 0,
      ...configuration,
    },
    { 'auto.offset.reset': 'earliest' },
  )
  const endsAt = Date.now() + deadlineMs
  const records: ConsumedRecord[] = []
  try {
    await assignAll(consumer, topic, endsAt)
    while (!isDone(records)) {
      if (Date.now() > endsAt) throw new Error(tooFew(topic, deadlineMs, records))
      const messages = await rdkafkaCall<rdkafka.Message[]>((done) => {
        consumer.consume(1000, done)
      })
      records.push(...messages.map(toRecord))
    }
    return records
  } finally {
    // After a failed connect the client has ended itself, and would never call back.
    if (consumer.isConnected()) {
      await new Promise<void>((resolve) => {
        consumer.disconnect(() => {
          resolve()
        })
      })
    }
  }
}

/** Repeats until the topic is there: a fresh broker answers metadata requests before it knows its topics. */
async function assignAll(
  consumer: rdkafka.KafkaConsumer,
  topic: string,
  endsAt: number,
): Promise<void> {
  const timeout = Math.max(1, endsAt - Date.now())
  await rdkafkaCall((done) => consumer.connect({ timeout }, done))
  consumer.setDefaultConsumeTimeout(100)
  for (;;) {
    const partitions = await partitionsOf(consumer, topic)
    if (partitions.length > 0) {
      // -2 is librdkafka's RD_KAFKA_OFFSET_BEGINNING.
      consumer.assign(partitions.map((partition) => ({ topic, partition, offset: -2 })))
      return
    }
    if (Date.now() > endsAt) throw new Error(`Topic ${topic} does not exist.`)
    // A topic that was just created reaches the brokers one by one, and they tell nobody.
    await delay(50)
  }
}

async function partitionsOf(consumer: rdkafka.KafkaConsumer, topic: string): Promise<number[]> {
  return new Promise((resolve) => {
    consumer.getMetadata({ topic, timeout: 5_000 }, (error, metadata) => {
      if (error as unknown) resolve([])
      else {
        const found = metadata.topics.find(({ name }) => name === topic)
        resolve((found?.partitions ?? []).map(({ id }) => id))
      }
    })
  })
}

function toRecord(message: rdkafka.Message): ConsumedRecord {
  const headers: Record<string, string> = {}
  for (const header of message.headers ?? []) {
    for (const [name, value] of Object.entries(header)) {
      if (Object.hasOwn(headers, name)) throw new Error(`The header ${name} comes twice.`)
      headers[name] = value.toString()
    }
  }
  return {
    key: message.key?.toString() ?? null,
    value: message.value?.toString() ?? null,
    headers,
    partition: message.partition,
    offset: message.offset,
  }
}

function tooFew(topic: string, deadlineMs: number, records: readonly ConsumedRecord[]): string {
  const last = records.slice(-3).map(({ key, partition, offset }) => ({ key, partition, offset }))
  return `Waited ${deadlineMs} ms for the records of ${topic}; read ${records.length}, the last ${JSON.stringify(last)}`
}
