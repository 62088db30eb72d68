import { setImmediate as nextTurn } from 'node:timers/promises'
import type { MessageHeader } from 'node-rdkafka'
import { toProducerConfig } from '../../src/kafka/producer-config.ts'
import type { KafkaRecord } from '../../src/kafka/producer.ts'
import { createIdempotentProducer } from '../../src/kafka/rdkafka-idempotent-producer.ts'
import { createPageProducer } from '../../src/kafka/rdkafka-page-producer.ts'
import { createTransactionalProducer } from '../../src/kafka/rdkafka-transactional-producer.ts'
import { silentLogger } from '../../src/observability/logger.ts'
import { createTopic } from '../../test/helpers/kafka.ts'
import { connectBareProducer, type PreparedRecord } from '../bare-producer.ts'
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

/** Records handed over and not settled; all of them together stay below the buffer of 32 MiB. */
const maxOutstandingBytes = 16 * 1024 * 1024

/** Records a second through the module's producers, without an outbox, beside node-rdkafka alone. */
export async function benchThroughput(
  bootstrapServers: string,
  { rounds, warmUp, records: count }: ThroughputSize,
): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const load of loads) {
    const { kind, recordBytes, compressionType, perPage, target } = load
    const rates = await inTurns(['module', 'bare'], { rounds, warmUp }, async (variant, round) => {
      const kafkaTopic = `bench-${figures.length}-${variant}-${round + warmUp}`
      await createTopic(bootstrapServers, kafkaTopic)
      const records = benchRecords(kafkaTopic, count, recordBytes)
      const send = variant === 'module' ? byModule : byNodeRdkafka
      try {
        const elapsedMs = await send(bootstrapServers, records, load)
        return (count / elapsedMs) * 1000
      } finally {
        await deleteTopic(bootstrapServers, kafkaTopic)
      }
    })
    const pages = kind === 'best-effort' ? '' : `-of-${perPage}`
    figures.push(
      ratioFigure({
        suite: 'kafka',
        name: `${kind}${pages}-${recordBytes}-bytes-${compressionType}`,
        unit: 'records/s',
        baseline: 'node-rdkafka',
        values: rates.module,
        baselines: rates.bare,
        ...(target === undefined ? {} : { target }),
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

const byNodeRdkafka: Send = async (bootstrapServers, records, load) => {
  const kafkaTopic = records[0]?.kafkaTopic ?? ''
  const { kind, compressionType, perPage } = load
  const prepared = records.map(({ key, value, headers }): PreparedRecord => ({
    key,
    value,
    headers: headers.map((header): MessageHeader => ({ ...header })),
  }))
  const bareKind = kind === 'transactions' ? 'transactional' : 'idempotent'
  const producer = await connectBareProducer(bootstrapServers, kafkaTopic, bareKind, {
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
