import { setImmediate as nextTurn } from 'node:timers/promises'
import type { MessageHeader } from 'node-rdkafka'
import { toProducerConfig } from '../../src/kafka/producer-config.ts'
import type { KafkaRecord } from '../../src/kafka/producer.ts'
import { createIdempotentProducer } from '../../src/kafka/rdkafka-idempotent-producer.ts'
import { createPageProducer } from '../../src/kafka/rdkafka-page-producer.ts'
import { createTransactionalProducer } from '../../src/kafka/rdkafka-transactional-producer.ts'
import { silentLogger } from '../../src/observability/logger.ts'
import { createTopic } from '../../test/helpers/kafka.ts'
import {
  connectBareProducer,
  type BareProducerKind,
  type PreparedRecord,
} from '../bare-producer.ts'
import { deleteTopic } from '../delete-topic.ts'
import { ratioFigure, type Figure } from '../figures.ts'
import { inTurns } from '../in-turns.ts'
import { benchRecords } from './records.ts'

export interface ThroughputSize {
  readonly rounds: number
  readonly warmUp: number
  readonly records: number
}

interface Load {
  readonly kind: 'best-effort' | 'pages' | 'transactions'
  readonly recordBytes: number
  readonly compressionType: 'none' | 'lz4' | 'gzip'
  /** Records of one page or Kafka transaction. */
  readonly perPage: number
  /** Least ratio to node-rdkafka alone. */
  readonly target?: number
}

const loads: readonly Load[] = [
  { kind: 'best-effort', recordBytes: 1000, compressionType: 'none', perPage: 1000, target: 0.8 },
  { kind: 'best-effort', recordBytes: 1000, compressionType: 'lz4', perPage: 1000 },
  { kind: 'best-effort', recordBytes: 5000, compressionType: 'none', perPage: 1000 },
  { kind: 'transactions', recordBytes: 1000, compressionType: 'none', perPage: 100 },
  { kind: 'transactions', recordBytes: 1000, compressionType: 'none', perPage: 1000, target: 0.8 },
  { kind: 'transactions', recordBytes: 1000, compressionType: 'none', perPage: 5000 },
  { kind: 'transactions', recordBytes: 1000, compressionType: 'lz4', perPage: 1000 },
  { kind: 'transactions', recordBytes: 5000, compressionType: 'none', perPage: 1000 },
  { kind: 'pages', recordBytes: 1000, compressionType: 'none', perPage: 1000 },
]

/** Values handed over and not settled; with what the buffer of 32 MiB counts on top of them they stay below it. */
const maxOutstandingBytes = 24 * 1024 * 1024

/** Records a second through the module's producers, without an outbox, beside node-rdkafka alone. Best effort is also shown beside
 *  node-rdkafka with a report of each record: nobody can count what was lost with less. */
export async function benchThroughput(
  bootstrapServers: string,
  { rounds, warmUp, records: count }: ThroughputSize,
): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const load of loads) {
    const { kind, recordBytes, compressionType, perPage, target } = load
    const variants =
      kind === 'best-effort'
        ? (['module', 'bare', 'reported'] as const)
        : (['module', 'bare'] as const)
    const rates = await inTurns(variants, { rounds, warmUp }, async (variant, round) => {
      const kafkaTopic = `bench-${figures.length}-${variant}-${round + warmUp}`
      await createTopic(bootstrapServers, kafkaTopic)
      const records = benchRecords(kafkaTopic, count, recordBytes)
      try {
        const elapsedMs = await senders[variant](bootstrapServers, records, load)
        return (count / elapsedMs) * 1000
      } finally {
        await deleteTopic(bootstrapServers, kafkaTopic)
      }
    })
    const pages = kind === 'best-effort' ? '' : `-of-${perPage}`
    const name = `${kind}${pages}-${recordBytes}-bytes-${compressionType}`
    const figure = {
      suite: 'kafka',
      unit: 'records/s',
      values: rates.module,
      ...(target === undefined ? {} : { target }),
    }
    figures.push(ratioFigure({ ...figure, name, baseline: 'node-rdkafka', baselines: rates.bare }))
    if (kind !== 'best-effort') continue
    figures.push(
      ratioFigure({
        ...figure,
        name: `${name}-beside-reports`,
        baseline: 'node-rdkafka with delivery reports',
        baselines: rates.reported,
      }),
    )
  }
  return figures
}

type Send = (
  bootstrapServers: string,
  records: readonly KafkaRecord[],
  load: Load,
) => Promise<number>

/** @returns milliseconds from the first record to the last acknowledgement; connected before, closed after */
const byModule: Send = async (bootstrapServers, records, load) => {
  const kafkaTopic = records[0]?.kafkaTopic ?? ''
  const { kind, compressionType, perPage } = load
  const values = { kafkaTopic, bootstrapServers, compressionType }
  if (kind === 'best-effort') {
    return bestEffort(
      createIdempotentProducer(toProducerConfig(values, kind), silentLogger),
      records,
    )
  }
  const producer =
    kind === 'transactions'
      ? createTransactionalProducer(
          toProducerConfig(values, 'at-least-once', kafkaTopic),
          silentLogger,
        )
      : createPageProducer(toProducerConfig(values, 'at-least-once'), silentLogger)
  await producer.start()
  const startMs = performance.now()
  for (let start = 0; start < records.length; start += perPage) {
    await producer.sendPage(records.slice(start, start + perPage))
  }
  const elapsedMs = performance.now() - startMs
  await producer.close(5000)
  return elapsedMs
}

async function bestEffort(
  producer: ReturnType<typeof createIdempotentProducer>,
  [first, ...others]: readonly KafkaRecord[],
): Promise<number> {
  const count = { outstandingBytes: 0, lost: 0 }
  const send = (record: KafkaRecord): void => {
    const bytes = record.value.byteLength
    count.outstandingBytes += bytes
    producer.send(record, (error) => {
      count.outstandingBytes -= bytes
      if (error) count.lost++
    })
  }
  const settled = async (maxBytes: number): Promise<void> => {
    while (count.outstandingBytes > maxBytes) await nextTurn()
  }
  // It connects by itself; the first record says when it has.
  if (first) send(first)
  await settled(0)
  const startMs = performance.now()
  for (const record of others) {
    if (count.outstandingBytes > maxOutstandingBytes) await settled(maxOutstandingBytes)
    send(record)
  }
  await settled(0)
  const elapsedMs = performance.now() - startMs
  await producer.close(5000)
  if (count.lost > 0) throw new Error(`${count.lost} records were lost`)
  return elapsedMs
}

const byNodeRdkafka: Send = (bootstrapServers, records, load) =>
  bare(
    bootstrapServers,
    records,
    load,
    load.kind === 'transactions' ? 'transactional' : 'idempotent',
  )

const withReports: Send = (bootstrapServers, records, load) =>
  bare(bootstrapServers, records, load, 'idempotent-with-reports')

async function bare(
  bootstrapServers: string,
  records: readonly KafkaRecord[],
  { kind, compressionType, perPage }: Load,
  producerKind: BareProducerKind,
): Promise<number> {
  const kafkaTopic = records[0]?.kafkaTopic ?? ''
  const prepared = records.map(({ key, value, headers }): PreparedRecord => ({
    key,
    value,
    headers: headers.map((header): MessageHeader => ({ ...header })),
  }))
  const producer = await connectBareProducer(bootstrapServers, kafkaTopic, producerKind, {
    'compression.codec': compressionType,
  })
  const startMs = performance.now()
  if (kind === 'pages') {
    for (let start = 0; start < prepared.length; start += perPage) {
      await producer.send(kafkaTopic, prepared.slice(start, start + perPage), perPage)
    }
  } else await producer.send(kafkaTopic, prepared, perPage)
  const elapsedMs = performance.now() - startMs
  await producer.close()
  return elapsedMs
}

const senders = { module: byModule, bare: byNodeRdkafka, reported: withReports }
