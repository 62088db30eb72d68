import { kafkaCodes, KafkaFailure } from './kafka-error.ts'
import type { KafkaRecord } from './producer.ts'

/** Bytes librdkafka counts against `message.max.bytes`, a little more than less. */
export function recordBytes({ key, value, headers }: KafkaRecord): number {
  let bytes = value.byteLength + (key === null ? 0 : Buffer.byteLength(key)) + recordOverheadBytes
  for (const header of headers) {
    for (const name in header) {
      bytes += Buffer.byteLength(name) + Buffer.byteLength(header[name] ?? '') + headerOverheadBytes
    }
  }
  return bytes
}

/** Before anything is handed over.
 *  @throws {@link KafkaFailure} `poison`, naming every record that is larger than `maxRequestSizeBytes` */
export function refuseTooLarge(records: readonly KafkaRecord[], maxRequestSizeBytes: number): void {
  const tooLarge = records.flatMap((record, index) =>
    isLargerThan(record, maxRequestSizeBytes) ? [index] : [],
  )
  const first = records[tooLarge[0] ?? -1]
  if (first) throw tooLargeFailure(first, maxRequestSizeBytes, tooLarge)
}

export function tooLargeFailure(
  record: KafkaRecord,
  maxRequestSizeBytes: number,
  poisonIndexes: readonly number[] = [0],
): KafkaFailure {
  return new KafkaFailure(
    'poison',
    `Message too large: the record has ${recordBytes(record)} bytes, maxRequestSize is ${maxRequestSizeBytes}.`,
    { kafkaCode: kafkaCodes.messageTooLarge, poisonIndexes },
  )
}

/** `recordBytes(record) > maxBytes`, without counting the bytes of a record that is far below. */
function isLargerThan(record: KafkaRecord, maxBytes: number): boolean {
  const isFarBelow = record.value.byteLength + farBelowBytes < maxBytes && hasShortTexts(record)
  return !isFarBelow && recordBytes(record) > maxBytes
}

const farBelowBytes = 16_384

/** Key and headers take less than `farBelowBytes`: a character has at most three bytes in UTF-8. */
function hasShortTexts({ key, headers }: KafkaRecord): boolean {
  let characters = key?.length ?? 0
  for (const header of headers) {
    for (const name in header) characters += name.length + (header[name]?.length ?? 0) + 10
  }
  return characters * 3 + recordOverheadBytes < farBelowBytes
}

const recordOverheadBytes = 200
const headerOverheadBytes = 10
