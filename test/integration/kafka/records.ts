import type { KafkaRecord } from '../../../src/kafka/producer.ts'
import { consumeUntil, type ConsumedRecord } from '../../helpers/kafka.ts'

interface ReadRecord {
  readonly key: string | null
  readonly value: string
  readonly headers: readonly (readonly [string, string])[]
  readonly partition: number
}

/** Committed records from the start, until there are enough. */
export async function readCommitted(
  bootstrapServers: string,
  kafkaTopic: string,
  isEnough: (records: readonly ConsumedRecord[]) => boolean,
): Promise<readonly ReadRecord[]> {
  const records = await consumeUntil(bootstrapServers, kafkaTopic, isEnough, {
    deadlineMs: 60_000,
  })
  return records.map(({ key, value, headers, partition }) => ({
    key,
    value: value ?? '',
    headers: Object.entries(headers),
    partition,
  }))
}

export function record(
  kafkaTopic: string,
  key: string | null,
  value: string | Buffer = `value of ${key}`,
): KafkaRecord {
  return {
    kafkaTopic,
    key,
    value: Buffer.from(value),
    headers: [{ ce_id: `id of ${key}` }, { 'content-type': 'application/fhir+json' }],
  }
}

export function keysOf(
  records: readonly { readonly key: string | null }[],
): readonly (string | null)[] {
  return records.map(({ key }) => key)
}

/** A page whose first record is over 5,000 bytes. Handing over so many behind it takes longer than Kafka's answer to a batch. */
export function longPageAfterLarge(kafkaTopic: string): readonly KafkaRecord[] {
  const behind = Array.from({ length: 50_000 }, () => record(kafkaTopic, 'behind'))
  return [record(kafkaTopic, 'large', Buffer.alloc(9000, 'x')), ...behind]
}
