import { randomUUID } from 'node:crypto'
import { rdkafka } from '../../../src/kafka/rdkafka-binding.ts'
import type { KafkaRecord } from '../../../src/kafka/producer.ts'

export interface ReadRecord {
  readonly key: string | null
  readonly value: string
  readonly headers: readonly (readonly [string, string])[]
  readonly partition: number
}

/** A topic of its own for one test. */
export async function newTopic(
  bootstrapServers: string,
  {
    partitions = 1,
    name = `kafka-${randomUUID()}`,
    config = {},
  }: { partitions?: number; name?: string; config?: Record<string, string> } = {},
): Promise<string> {
  const admin = rdkafka.AdminClient.create({ 'bootstrap.servers': bootstrapServers })
  try {
    await new Promise<void>((resolve, reject) => {
      admin.createTopic(
        { topic: name, num_partitions: partitions, replication_factor: 1, config },
        20_000,
        (error: unknown) => {
          if (error) reject(new Error(`cannot create ${name}`, { cause: error }))
          else resolve()
        },
      )
    })
  } finally {
    admin.disconnect()
  }
  return name
}

/** Reads committed records from the start until `isEnough`, or fails after `timeoutMs`. */
export async function readCommitted(
  bootstrapServers: string,
  kafkaTopic: string,
  isEnough: (records: readonly ReadRecord[]) => boolean,
  timeoutMs = 30_000,
): Promise<readonly ReadRecord[]> {
  const consumer = new rdkafka.KafkaConsumer(
    {
      'bootstrap.servers': bootstrapServers,
      'group.id': `read-${randomUUID()}`,
      'enable.auto.commit': false,
      'isolation.level': 'read_committed',
    },
    { 'auto.offset.reset': 'earliest' },
  )
  await new Promise<void>((resolve, reject) => {
    consumer.connect({ timeout: 20_000 }, (error: unknown) => {
      if (error) reject(new Error('cannot connect the consumer', { cause: error }))
      else resolve()
    })
  })
  try {
    consumer.subscribe([kafkaTopic])
    consumer.setDefaultConsumeTimeout(100)
    const records: ReadRecord[] = []
    const deadlineMs = performance.now() + timeoutMs
    while (!isEnough(records)) {
      if (performance.now() > deadlineMs)
        throw new Error(`only ${records.length} records arrived in ${kafkaTopic}`)
      records.push(...(await consume(consumer)))
    }
    return records
  } finally {
    await new Promise<void>((resolve) => {
      consumer.disconnect(() => {
        resolve()
      })
    })
  }
}

type Consumer = InstanceType<typeof rdkafka.KafkaConsumer>

async function consume(consumer: Consumer): Promise<readonly ReadRecord[]> {
  return new Promise((resolve, reject) => {
    consumer.consume(500, (error, messages) => {
      // node-rdkafka hands null, not undefined, when all went well.
      if ((error as unknown) !== null) return reject(new Error('cannot consume', { cause: error }))
      resolve(
        messages.map(({ key, value, headers = [], partition }) => ({
          key: key === null || key === undefined ? null : key.toString(),
          value: value?.toString() ?? '',
          headers: headers.flatMap((header) =>
            Object.entries(header).map(([name, text]) => [name, text.toString()] as const),
          ),
          partition,
        })),
      )
    })
  })
}

export function record(
  kafkaTopic: string,
  key: string | null,
  value: string | Buffer = `value of ${key}`,
): KafkaRecord {
  return {
    kafkaTopic,
    key,
    value: Buffer.from(value),
    headers: [{ ce_id: `id of ${key}` }, { 'content-type': 'application/fhir+json' }],
  }
}

export function keysOf(records: readonly ReadRecord[]): readonly (string | null)[] {
  return records.map(({ key }) => key)
}
