import { isUtf8 } from 'node:buffer'
import type { Message } from 'node-rdkafka'
import type { KafkaHeader } from '../kafka/producer.ts'
import type { NativeRecord } from '../kafka/rdkafka-client.ts'

/** Name and value. A name may come twice. */
export type RecordHeader = readonly [name: string, value: Buffer]

/** Where a record stands in Kafka. */
export interface RecordPlace {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** A record as it was read. */
export interface SourceRecord extends RecordPlace {
  /** Milliseconds since 1970; -1 where it has none. */
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly RecordHeader[]
}

/** A record to be written. */
export interface OutgoingRecord {
  readonly topic: string
  /** Default: by the key, as Java's clients do. */
  readonly partition?: number
  readonly key?: Buffer | string | null
  readonly value: Buffer | string | null
  readonly headers?: readonly (readonly [name: string, value: Buffer | string])[]
  /** Milliseconds since 1970. Default: when it is written. */
  readonly timestampMs?: number
}

export function sourceRecord(message: Message): SourceRecord {
  const { topic, partition, offset, timestamp, key, value, headers = [] } = message
  return {
    topic,
    partition,
    offset,
    timestampMs: timestamp ?? -1,
    key: typeof key === 'string' ? Buffer.from(key) : (key ?? null),
    value,
    headers: headers.flatMap((header) =>
      Object.entries(header).map(([name, one]) => [name, bytesOf(one)] as const),
    ),
  }
}

export function nativeRecord(record: OutgoingRecord): NativeRecord {
  const { topic, partition, key = null, value, headers = [], timestampMs } = record
  return {
    kafkaTopic: topic,
    key: nativeBytes(key),
    value: nativeBytes(value),
    headers: headers.map(nativeHeader),
    ...(partition === undefined ? {} : { partition }),
    ...(timestampMs === undefined || timestampMs < 0 ? {} : { timestampMs }),
  }
}

/** No bytes, in memory that is there: node-rdkafka writes null for an empty buffer without any. */
const noBytes = Buffer.from('-').subarray(0, 0)

function nativeBytes(bytes: Buffer | string | null): Buffer | null {
  if (bytes === null) return null
  return bytes.length === 0 ? noBytes : bytesOf(bytes)
}

/** @throws {@link TypeError} for bytes that node-rdkafka would change: it writes headers as text, and up to a NUL */
function nativeHeader([name, value]: readonly [string, Buffer | string]): KafkaHeader {
  if (!isHeaderText(bytesOf(value))) {
    throw new TypeError(`The header "${name}" is not text; node-rdkafka cannot write it.`)
  }
  return { [name]: value.toString() }
}

/** Whether node-rdkafka writes these bytes of a header as they are. */
export function isHeaderText(value: Buffer): boolean {
  return isUtf8(value) && !value.includes(0)
}

export function bytesOf(value: Buffer | string | number): Buffer {
  return Buffer.isBuffer(value) ? value : Buffer.from(String(value))
}

/** Most bytes of the records of one Kafka transaction, unless it is one record that has more. */
export const maxStepBytes: number = 4 * 1024 * 1024

/** Of key, value and headers. */
export function bytesIn({ key, value, headers = [] }: OutgoingRecord | SourceRecord): number {
  return headers.reduce(
    (sum, [name, one]) => sum + name.length + one.length,
    (key?.length ?? 0) + (value?.length ?? 0),
  )
}
