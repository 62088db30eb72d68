import type { ClusterAdmin } from '../../topology/cluster-admin.ts'
import type { ResolvedTopology } from '../../topology/resolved-topology.ts'
import type { KafkaConnection } from '../retry-settings.ts'
import {
  deadLetter,
  deadLetterTopicOf,
  type DeadLetter,
  type DeadLetterTopic,
} from './dead-letter-topic.ts'
import { chosenLetters, isOfClass, scanDeadLetters, type OnProgress } from './scan.ts'
import { TopicReader } from './topic-reader.ts'

export interface DeadLetterOptions {
  /** Properties of librdkafka, as `kafkaConnection` takes them from a file. */
  readonly connection: KafkaConnection
  readonly onProgress?: OnProgress
}

/** The dead letters of a topic that have not been sent again. */
export interface DeadLetterListing extends DeadLetterTopic {
  readonly records: number
  /** By partition; the dead letters stand from `from` on, before `to`. */
  readonly partitions: readonly {
    readonly partition: number
    readonly records: number
    readonly from: number
    readonly to: number
  }[]
  /** Records by `x-error-class`. */
  readonly errorClasses: Readonly<Record<string, number>>
}

/** Counts the dead letters of a topic.
 *  @param topic that, or its dead-letter topic
 *  @throws {@link TopologyError} or {@link KafkaFailure} */
export async function listDeadLetters(
  topology: ResolvedTopology,
  topic: string,
  { connection, onProgress }: DeadLetterOptions,
): Promise<DeadLetterListing> {
  const place = deadLetterTopicOf(topology, topic)
  return withReader(place, connection, async (reader) => {
    const scanned = await scanDeadLetters(reader, place, onProgress)
    const classes = new Map<string, number>()
    for (const { errorClass } of scanned.flatMap(({ letters }) => letters)) {
      classes.set(errorClass, (classes.get(errorClass) ?? 0) + 1)
    }
    return {
      ...place,
      records: scanned.reduce((sum, { letters }) => sum + letters.length, 0),
      partitions: scanned.map(({ partition, from, to, letters }) => ({
        partition,
        records: letters.length,
        from,
        to,
      })),
      errorClasses: Object.fromEntries([...classes].toSorted(([, a], [, b]) => b - a)),
    }
  })
}

export interface ReadOptions extends DeadLetterOptions {
  /** Most dead letters. Default: all. */
  readonly limit?: number
  /** Only those that failed so. */
  readonly errorClass?: string
}

/** The dead letters of a topic that have not been sent again, by partition and offset.
 *  @param topic that, or its dead-letter topic
 *  @throws {@link TopologyError} or {@link KafkaFailure} */
export async function readDeadLetters(
  topology: ResolvedTopology,
  topic: string,
  { connection, onProgress, limit = Infinity, errorClass }: ReadOptions,
): Promise<DeadLetter[]> {
  const place = deadLetterTopicOf(topology, topic)
  return withReader(place, connection, async (reader) => {
    const found: DeadLetter[] = []
    const scanned = await scanDeadLetters(reader, place, onProgress)
    for (const { stretch, offsets } of chosenLetters(scanned, isOfClass(errorClass), limit)) {
      await reader.read([stretch], (records) => {
        found.push(...records.filter(({ offset }) => offsets.has(offset)).map(deadLetter))
      })
    }
    return found
  })
}

/** Deletes what a listing has counted, and nothing that has come later.
 *  @throws {@link ClusterFailure} */
export async function purgeDeadLetters(
  { deadLetterTopic, partitions }: Pick<DeadLetterListing, 'deadLetterTopic' | 'partitions'>,
  admin: ClusterAdmin,
): Promise<void> {
  await admin.deleteRecords(
    deadLetterTopic,
    new Map(partitions.map(({ partition, to }) => [partition, to])),
  )
}

async function withReader<Result>(
  { deadLetterTopic }: DeadLetterTopic,
  connection: KafkaConnection,
  work: (reader: TopicReader) => Promise<Result>,
): Promise<Result> {
  const reader = new TopicReader(deadLetterTopic, connection)
  try {
    await reader.connect()
    return await work(reader)
  } finally {
    await reader[Symbol.asyncDispose]()
  }
}
