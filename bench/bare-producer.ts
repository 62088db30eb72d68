import rdkafka from 'node-rdkafka'
import { rdkafkaCall } from '../src/kafka/rdkafka-call.ts'
import type { ConsumedRecord } from '../test/helpers/kafka.ts'

export interface BareProducer {
  /** Sends the records in transactions of this size, one after the other. */
  send(
    kafkaTopic: string,
    records: readonly PreparedRecord[],
    perTransaction: number,
  ): Promise<void>
  close(): Promise<void>
}

export interface PreparedRecord {
  readonly key: string | null
  readonly value: Buffer
  readonly headers: rdkafka.MessageHeader[]
}

/** Everything that can be done before the clock runs, is. */
export function prepareRecords(records: readonly ConsumedRecord[]): PreparedRecord[] {
  return records.map(({ key, value, headers }) => ({
    key,
    value: Buffer.from(value ?? ''),
    headers: Object.entries(headers).map(([name, text]) => ({ [name]: text })),
  }))
}

/** node-rdkafka alone, transactional, with the settings that matter as the module has them. */
export async function connectBareProducer(
  bootstrapServers: string,
  transactionalId: string,
): Promise<BareProducer> {
  const producer = new rdkafka.Producer(
    {
      'bootstrap.servers': bootstrapServers,
      'transactional.id': transactionalId,
      'linger.ms': 5,
      'retry.backoff.ms': 5,
      'queue.buffering.max.kbytes': 131_072,
    },
    { 'message.timeout.ms': 30_000, partitioner: 'murmur2_random' },
  )
  await rdkafkaCall((done) => producer.connect({ timeout: 10_000 }, done))
  producer.setPollInterval(10)
  await rdkafkaCall((done) => producer.initTransactions(10_000, done))
  return {
    async send(kafkaTopic, records, perTransaction) {
      for (let start = 0; start < records.length; start += perTransaction) {
        await rdkafkaCall((done) => producer.beginTransaction(done))
        for (const { key, value, headers } of records.slice(start, start + perTransaction)) {
          producer.produce(kafkaTopic, null, value, key, undefined, undefined, headers)
        }
        await rdkafkaCall((done) => producer.commitTransaction(30_000, done))
      }
    },
    async close() {
      await rdkafkaCall((done) => producer.disconnect(1000, done))
    },
  }
}
