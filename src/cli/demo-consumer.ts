import { randomUUID } from 'node:crypto'
import rdkafka from 'node-rdkafka'

export interface ReadRecord {
  readonly kafkaTopic: string
  readonly partition: number
  readonly offset: number
  readonly key: string | null
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly value: string
}

const timeoutMs = 20_000

/** Creates topics with one partition each. */
export async function createKafkaTopics(
  bootstrapServers: string,
  kafkaTopics: readonly string[],
): Promise<void> {
  const admin = rdkafka.AdminClient.create({ 'bootstrap.servers': bootstrapServers })
  try {
    for (const topic of kafkaTopics) {
      await new Promise<void>((resolve, reject) => {
        admin.createTopic(
          { topic, num_partitions: 1, replication_factor: -1 },
          timeoutMs,
          (error) => {
            // The types promise an error to every callback; without one it gets null.
            if (error as unknown) reject(new Error(error.message, { cause: error }))
            else resolve()
          },
        )
      })
    }
  } finally {
    admin.disconnect()
  }
}

/** Reads committed records of partition 0 from its beginning until there are `count`.
 *  @throws when they do not come within 20 seconds */
export async function readRecords(
  bootstrapServers: string,
  kafkaTopic: string,
  count: number,
): Promise<ReadRecord[]> {
  const consumer = new rdkafka.KafkaConsumer(
    {
      'bootstrap.servers': bootstrapServers,
      'group.id': randomUUID(),
      'enable.auto.commit': false,
      'isolation.level': 'read_committed',
    },
    { 'auto.offset.reset': 'earliest' },
  )
  await new Promise<void>((resolve, reject) => {
    consumer.connect({ timeout: timeoutMs }, (error) => {
      if (error as unknown) reject(new Error(error.message, { cause: error }))
      else resolve()
    })
  })
  try {
    consumer.setDefaultConsumeTimeout(200)
    consumer.assign([{ topic: kafkaTopic, partition: 0, offset: 0 }])
    const records: ReadRecord[] = []
    for (const deadlineMs = Date.now() + timeoutMs; records.length < count;) {
      if (Date.now() > deadlineMs)
        throw new Error(`no record on ${kafkaTopic} within ${timeoutMs} ms`)
      records.push(...(await consume(consumer)).map(toReadRecord))
    }
    return records
  } finally {
    await new Promise((resolve) => consumer.disconnect(resolve))
  }
}

async function consume(consumer: rdkafka.KafkaConsumer): Promise<rdkafka.Message[]> {
  return new Promise((resolve, reject) => {
    consumer.consume(100, (error, messages) => {
      if (error as unknown) reject(new Error(error.message, { cause: error }))
      else resolve(messages)
    })
  })
}

function toReadRecord({
  topic,
  partition,
  offset,
  key,
  headers,
  value,
}: rdkafka.Message): ReadRecord {
  return {
    kafkaTopic: topic,
    partition,
    offset,
    key: key == null ? null : String(key),
    headers: (headers ?? []).flatMap((header) =>
      Object.entries(header).map(([name, text]) => [name, String(text)] as const),
    ),
    value: String(value),
  }
}
