import { setImmediate as nextTurn } from 'node:timers/promises'
import rdkafka from 'node-rdkafka'
import { rdkafkaCall } from '../src/kafka/rdkafka-call.ts'
import type { ConsumedRecord } from '../test/helpers/kafka.ts'

/** With a checkpoint each transaction also carries an offset of a group, as the module's do. With reports the sender is told of each
 *  record what became of it, as best effort must be to count; half of what node-rdkafka does is spent on that. */
export type BareProducerKind =
  'transactional' | 'transactional-with-checkpoint' | 'idempotent' | 'idempotent-with-reports'

export interface BareProducer {
  /** Sends the records, in transactions of this size one after the other if it is transactional. */
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

const timeoutMs = 30_000

/** Everything that can be done before the clock runs, is. */
export function prepareRecords(records: readonly ConsumedRecord[]): PreparedRecord[] {
  return records.map(({ key, value, headers }) => ({
    key,
    value: Buffer.from(value ?? ''),
    headers: Object.entries(headers).map(([name, text]) => ({ [name]: text })),
  }))
}

/** node-rdkafka alone, with the settings that matter as the module has them.
 *  @param name transactional.id and group
 *  @param settings on top, of librdkafka */
export async function connectBareProducer(
  bootstrapServers: string,
  name: string,
  kind: BareProducerKind = 'transactional',
  settings: rdkafka.ProducerGlobalConfig = {},
): Promise<BareProducer> {
  if (kind === 'idempotent') return connectIdempotent(bootstrapServers, settings)
  if (kind === 'idempotent-with-reports') return connectReported(bootstrapServers, settings)
  const producer = await connect(bootstrapServers, { ...settings, 'transactional.id': name })
  await rdkafkaCall((done) => producer.initTransactions(timeoutMs, done))
  const group = kind === 'transactional' ? undefined : await connectGroup(bootstrapServers, name)
  let transactions = 0
  return {
    async send(kafkaTopic, records, perTransaction) {
      for (let start = 0; start < records.length; start += perTransaction) {
        await rdkafkaCall((done) => producer.beginTransaction(done))
        for (const record of records.slice(start, start + perTransaction)) {
          produce(producer, kafkaTopic, record)
        }
        if (group) {
          const offsets = [{ topic: kafkaTopic, partition: 0, offset: ++transactions }]
          await rdkafkaCall((done) => {
            producer.sendOffsetsToTransaction(offsets, group, timeoutMs, done)
          })
        }
        await rdkafkaCall((done) => producer.commitTransaction(timeoutMs, done))
      }
    },
    async close() {
      await rdkafkaCall((done) => producer.disconnect(1000, done))
      if (group) {
        await rdkafkaCall((done) => group.disconnect(done))
      }
    },
  }
}

async function connectIdempotent(
  bootstrapServers: string,
  settings: rdkafka.ProducerGlobalConfig,
): Promise<BareProducer> {
  const producer = await connect(bootstrapServers, { ...settings, 'enable.idempotence': true })
  return {
    async send(kafkaTopic, records) {
      await produceAll(producer, kafkaTopic, records)
      await rdkafkaCall((done) => producer.flush(timeoutMs, done))
    },
    async close() {
      await rdkafkaCall((done) => producer.disconnect(1000, done))
    },
  }
}

async function connectReported(
  bootstrapServers: string,
  settings: rdkafka.ProducerGlobalConfig,
): Promise<BareProducer> {
  const producer = await connect(bootstrapServers, {
    ...settings,
    'enable.idempotence': true,
    dr_cb: true,
  })
  const unsettled = new Set<unknown>()
  producer.on('delivery-report', (error: rdkafka.LibrdKafkaError | null, { opaque }) => {
    if (error) throw new Error(`a record was lost: ${error.message}`)
    unsettled.delete(opaque)
  })
  return {
    async send(kafkaTopic, records) {
      for (const record of records) unsettled.add(record)
      await produceAll(producer, kafkaTopic, records, true)
      while (unsettled.size > 0) {
        producer.poll()
        await nextTurn()
      }
    },
    async close() {
      await rdkafkaCall((done) => producer.disconnect(1000, done))
    },
  }
}

async function produceAll(
  producer: rdkafka.Producer,
  kafkaTopic: string,
  records: readonly PreparedRecord[],
  isReported = false,
): Promise<void> {
  for (const record of records) {
    while (!isProduced(producer, kafkaTopic, record, isReported)) {
      producer.poll()
      await nextTurn()
    }
  }
}

async function connect(
  bootstrapServers: string,
  settings: rdkafka.ProducerGlobalConfig,
): Promise<rdkafka.Producer> {
  const producer = new rdkafka.Producer(
    {
      'bootstrap.servers': bootstrapServers,
      'linger.ms': 5,
      'retry.backoff.ms': 5,
      'queue.buffering.max.kbytes': 131_072,
      ...settings,
    },
    { acks: -1, 'message.timeout.ms': timeoutMs, partitioner: 'murmur2_random' },
  )
  await rdkafkaCall((done) => producer.connect({ timeout: 10_000 }, done))
  producer.setPollInterval(10)
  return producer
}

/** Only names the group of the offsets. */
async function connectGroup(
  bootstrapServers: string,
  group: string,
): Promise<rdkafka.KafkaConsumer> {
  const consumer = new rdkafka.KafkaConsumer(
    { 'bootstrap.servers': bootstrapServers, 'group.id': group, 'enable.auto.commit': false },
    {},
  )
  await rdkafkaCall((done) => consumer.connect({ timeout: 10_000 }, done))
  return consumer
}

function produce(
  producer: rdkafka.Producer,
  kafkaTopic: string,
  record: PreparedRecord,
  isReported = false,
): void {
  const { key, value, headers } = record
  producer.produce(
    kafkaTopic,
    null,
    value,
    key,
    undefined,
    isReported ? record : undefined,
    headers,
  )
}

function isProduced(
  producer: rdkafka.Producer,
  kafkaTopic: string,
  record: PreparedRecord,
  isReported: boolean,
): boolean {
  try {
    produce(producer, kafkaTopic, record, isReported)
    return true
  } catch (error) {
    const { code } = error as rdkafka.LibrdKafkaError
    if (code !== rdkafka.CODES.ERRORS.ERR__QUEUE_FULL) throw error
    return false
  }
}
