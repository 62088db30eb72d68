import { randomUUID } from 'node:crypto'
import rdkafka from 'node-rdkafka'
import { rdkafkaCall } from '../../kafka/rdkafka-call.ts'

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
      await rdkafkaCall((done) => {
        admin.createTopic({ topic, num_partitions: 1, replication_factor: -1 }, timeoutMs, done)
      })
    }
  } finally {
    admin.disconnect()
  }
}

/** Reads committed records of all partitions from their beginning until there are `count`.
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
  await rdkafkaCall((done) => consumer.connect({ timeout: timeoutMs }, done))
  try {
    consumer.setDefaultConsumeTimeout(200)
    const deadlineMs = Date.now() + timeoutMs
    consumer.assign(await allPartitions(consumer, kafkaTopic, deadlineMs))
    const records: ReadRecord[] = []
    while (records.length < count) {
      if (Date.now() > deadlineMs)
        throw new Error(`no record on ${kafkaTopic} within ${timeoutMs} ms`)
      const messages = await rdkafkaCall<rdkafka.Message[]>((done) => {
        consumer.consume(100, done)
      })
      records.push(...messages.map(toReadRecord))
    }
    return records
  } finally {
    await new Promise((resolve) => consumer.disconnect(resolve))
  }
}

/** The mock cluster gives every topic four. */
async function allPartitions(
  consumer: rdkafka.KafkaConsumer,
  kafkaTopic: string,
  deadlineMs: number,
): Promise<rdkafka.TopicPartitionOffset[]> {
  for (;;) {
    const { topics } = await rdkafkaCall<rdkafka.Metadata>((done) =>
      consumer.getMetadata({ topic: kafkaTopic, timeout: timeoutMs }, done),
    )
    const found = topics.find(({ name }) => name === kafkaTopic)?.partitions ?? []
    if (found.length > 0) {
      return found.map(({ id }) => ({ topic: kafkaTopic, partition: id, offset: 0 }))
    }
    if (Date.now() > deadlineMs) throw new Error(`${kafkaTopic} has no partitions`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
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
