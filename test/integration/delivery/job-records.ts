import assert from 'node:assert/strict'
import type { ConsumedRecord } from '../../helpers/kafka.ts'
import type { Told } from './nodes.ts'

/** Parameter of an operation. */
export const all = { name: 'all', valueBoolean: true }

/** What kind of job has sent it; `live` when none has. */
export function deliveryOf({ headers }: ConsumedRecord): string {
  return headers['x-topic-delivery'] ?? 'live'
}

/** A record without what says that it was asked for. */
export function asLive({
  headers,
  key,
  value,
}: ConsumedRecord): Pick<ConsumedRecord, 'key' | 'value' | 'headers'> {
  const { 'x-topic-delivery': _kind, 'x-topic-delivery-job': _job, ...others } = headers
  return { key, value, headers: others }
}

/** No resource goes back to an older version. */
export function assertNeverBack(events: readonly Told[]): void {
  const newest = new Map<string, number>()
  for (const { focus, versionId } of events) {
    const version = Number(versionId)
    assert.ok(version >= (newest.get(focus) ?? 0), `${focus} goes back to ${version}`)
    newest.set(focus, version)
  }
}
