import { Connection, createAPI, fetchV12, type Reader } from '@platformatic/kafka'

/** What stands in the head of a record batch as it lies on the broker
 *  (https://kafka.apache.org/documentation/#recordbatch). */
export interface RecordBatch {
  readonly codec: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
  readonly recordCount: number
  /** As it is stored, compressed or not. */
  readonly bytes: number
  /** End markers of transactions. */
  readonly isControl: boolean
}

const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
/** Bytes of base offset and length, which the length does not count. */
const prefixBytes = 12

/** The batches of partition 0, at most a megabyte of them, not decompressed. */
export async function recordBatches(
  bootstrapServers: string,
  topic: string,
): Promise<readonly RecordBatch[]> {
  const [host = '', port = ''] = bootstrapServers.split(':')
  const connection = new Connection('test-batches')
  await connection.connect(host, Number(port))
  try {
    const partition = {
      partition: 0,
      currentLeaderEpoch: -1,
      fetchOffset: 0n,
      lastFetchedEpoch: -1,
      partitionMaxBytes: 1_048_576,
    }
    const topics = [{ topicId: topic, partitions: [partition] }]
    const bytes = await fetchRaw.async(connection, 1000, 1, 1_048_576, 0, 0, -1, topics, [], '')
    return [...batchesIn(bytes)]
  } finally {
    await connection.close()
  }
}

/** The client's own reader would decompress, for which it lacks packages. */
const fetchRaw = createAPI<Parameters<typeof fetchV12.createRequest>, Buffer>(
  1,
  12,
  fetchV12.createRequest,
  (_correlationId, _apiKey, _apiVersion, reader) => recordsIn(reader),
)

function recordsIn(reader: Reader): Buffer {
  // Throttle time, error code, session.
  reader.skip(10)
  let records: Buffer = Buffer.alloc(0)
  reader.readArray((topic) => {
    topic.readString()
    topic.readArray((partition) => {
      partition.readInt32()
      const errorCode = partition.readInt16()
      if (errorCode !== 0) throw new Error(`Fetch answered ${errorCode}.`)
      // High watermark, last stable offset, begin of the log.
      partition.skip(24)
      partition.readArray((aborted) => {
        aborted.skip(16)
      })
      partition.readInt32()
      const size = partition.readUnsignedVarInt() - 1
      records = partition.buffer.slice(partition.position, partition.position + size)
      partition.skip(size)
    })
  })
  return records
}

function* batchesIn(bytes: Buffer): Generator<RecordBatch> {
  for (let at = 0; at + prefixBytes < bytes.length;) {
    const length = prefixBytes + bytes.readInt32BE(at + 8)
    const attributes = bytes.readInt16BE(at + 21)
    yield {
      codec: codecs[(attributes & 7) as 0 | 1 | 2 | 3 | 4],
      recordCount: bytes.readInt32BE(at + 57),
      bytes: length,
      isControl: (attributes & 32) !== 0,
    }
    at += length
  }
}
