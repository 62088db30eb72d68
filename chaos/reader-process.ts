/** Reads Kafka topics for `Reader`: node --import tsx reader-process.ts '<ReaderTask as JSON>'. Sends what it reads over the IPC channel, and
 *  ends with it. */
import { setTimeout as delay } from 'node:timers/promises'
import rdkafka from 'node-rdkafka'
import { rdkafkaCall } from '../src/kafka/rdkafka-call.ts'
import { uniqueName } from '../test/helpers/kafka.ts'

export interface Place {
  readonly topic: string
  readonly partition: number
  /** Where reading goes on. */
  readonly offset: number
}

export interface ReaderTask {
  readonly bootstrapServers: string
  readonly places: readonly Place[]
}

export interface ReadRecord extends Place {
  readonly key: string | undefined
  readonly value: string
  /** Header `ce_source`. */
  readonly source: string | undefined
}

/** Records in the order of their partitions. The first, an empty one, says that reading has begun. */
export interface ReadBatch {
  readonly records: readonly ReadRecord[]
  readonly arrivedAtMs: number
}

async function read({ bootstrapServers, places }: ReaderTask): Promise<never> {
  const consumer = new rdkafka.KafkaConsumer(
    {
      'bootstrap.servers': bootstrapServers,
      'group.id': uniqueName('chaos-reader'),
      'enable.auto.commit': false,
      'isolation.level': 'read_committed',
      'reconnect.backoff.max.ms': 500,
      'fetch.wait.max.ms': 50,
      // A broker that has just started may not know its topics yet, and they would be gone for five minutes.
      'topic.metadata.refresh.interval.ms': 2000,
      log_level: 0,
    },
    // A position that Kafka does not have any more would be a loss of Kafka's: it must not pass as doubles.
    { 'auto.offset.reset': 'error' },
  )
  consumer.on('event.error', () => undefined)
  await rdkafkaCall((done) => consumer.connect({ timeout: 20_000 }, done))
  consumer.assign([...places])
  consumer.setDefaultConsumeTimeout(100)
  await send({ records: [], arrivedAtMs: Date.now() })
  for (;;) {
    // Fails while the broker is away.
    const messages = await rdkafkaCall<rdkafka.Message[]>((done) => {
      consumer.consume(1000, done)
    }).catch(async () => delay(100, []))
    const batch = { records: messages.map(recordOf), arrivedAtMs: Date.now() }
    if (messages.length > 0) await send(batch)
  }
}

function recordOf({
  topic,
  partition,
  offset,
  key,
  value,
  headers = [],
}: rdkafka.Message): ReadRecord {
  const source = headers.find((header) => 'ce_source' in header)?.['ce_source']?.toString()
  return { topic, partition, offset, key: key?.toString(), value: value?.toString() ?? '', source }
}

/** Resolves when the channel has taken it. */
async function send(batch: ReadBatch): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    process.send?.(batch, (error: Error | null) => {
      if (error) reject(error)
      else resolve()
    })
  })
}

process.on('disconnect', () => {
  process.exit(0)
})
await read(JSON.parse(process.argv[2] ?? '') as ReaderTask)
