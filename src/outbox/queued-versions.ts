import { isSettled } from './cursor-row.ts'
import type { OutboxSchema, Queryable } from './schema.ts'
import { isInStretch } from './sources.ts'

const maxQueued = 1000

/** Versions of resources that wait in the queue of a destination, by reference; a host may have none. Index: `event_topic_id_id`.
 *  @returns undefined when more than 1000 events wait */
export async function queuedVersions(
  db: Queryable,
  schema: OutboxSchema,
  destinationId: number,
): Promise<ReadonlyMap<string, ReadonlySet<string | null>> | undefined> {
  const { rows } = await db.query<{ reference: string; version_id: string | null }>(
    `select e.resource_type || '/' || e.resource_id as reference, e.version_id
       from ${schema.destination} d join ${schema.source} s on s.destination_id = d.id,
            lateral (
              select e.resource_type, e.resource_id, e.version_id from ${schema.event} e
               where e.topic_id = s.topic_id and e.id > d.low and ${isInStretch} and not ${isSettled}
               order by e.id limit ${maxQueued + 1}) e
      where d.id = $1 limit ${maxQueued + 1}`,
    [destinationId],
  )
  if (rows.length > maxQueued) return undefined
  const versions = new Map<string, Set<string | null>>()
  for (const { reference, version_id: versionId } of rows) {
    const known = versions.get(reference)
    if (known) known.add(versionId)
    else versions.set(reference, new Set([versionId]))
  }
  return versions
}
