import type { Pool, PoolClient } from 'pg'
import type { Change, FhirResource } from '../../src/index.ts'

export type StoredResource = FhirResource & { readonly id: string }

/** One statement of a pool, a client, or the transaction that the module hands back. */
interface Queryable {
  query<Row extends object>(text: string, values: unknown[]): Promise<{ rows: Row[] }>
}

/** One row for each resource; a deleted one keeps its row, so that versions go on. */
export async function createTables(pool: Pool): Promise<void> {
  await pool.query(`create table if not exists resource (
    type text not null,
    id text not null,
    version int not null default 0,
    body jsonb,
    primary key (type, id)
  )`)
}

/** Current resources by relative reference; a missing one is absent. */
export async function readResources(
  db: Queryable,
  references: readonly string[],
): Promise<ReadonlyMap<string, StoredResource>> {
  const { rows } = await db.query<{ reference: string; body: StoredResource }>(
    `select type || '/' || id as reference, body
       from resource
      where body is not null
        and (type, id) in (select split_part(r, '/', 1), split_part(r, '/', 2) from unnest($1::text[]) r)`,
    [[...references]],
  )
  return new Map(rows.map(({ reference, body }) => [reference, body]))
}

/** Writes a resource. Without a difference to what is there, nothing changes. */
export async function putResource(
  client: PoolClient,
  resource: StoredResource,
): Promise<{ readonly change?: Change; readonly current: StoredResource }> {
  const { resourceType, id } = resource
  const { previous, version } = await lock(client, resourceType, id)
  const versionId = String(version + 1)
  const meta = { ...resource.meta, versionId, lastUpdated: new Date().toISOString() }
  const current = { ...resource, meta }
  const { rowCount } = await client.query(
    `update resource set version = version + 1, body = $3
      where type = $1 and id = $2
        and body #- '{meta,versionId}' #- '{meta,lastUpdated}'
            is distinct from $3::jsonb #- '{meta,versionId}' #- '{meta,lastUpdated}'`,
    [resourceType, id, current],
  )
  if (rowCount === 0 && previous) return { current: previous }
  const interaction = previous ? 'update' : 'create'
  const change = { interaction, resourceType, id, versionId, current } as const
  return { change: previous ? { ...change, previous } : change, current }
}

/** @returns undefined when there is no such resource */
export async function deleteResource(
  client: PoolClient,
  resourceType: string,
  id: string,
): Promise<Change | undefined> {
  const { previous, version } = await lock(client, resourceType, id)
  if (!previous) return undefined
  await client.query(
    'update resource set version = version + 1, body = null where type = $1 and id = $2',
    [resourceType, id],
  )
  return { interaction: 'delete', resourceType, id, versionId: String(version + 1), previous }
}

/** Locks the row, and makes it when there is none: events of one resource are in the order of their commits then. */
async function lock(
  client: PoolClient,
  resourceType: string,
  id: string,
): Promise<{ previous: StoredResource | undefined; version: number }> {
  const { rows } = await client.query<{ body: StoredResource | null; version: number }>(
    `insert into resource (type, id) values ($1, $2)
         on conflict (type, id) do update set version = resource.version
     returning body, version`,
    [resourceType, id],
  )
  return { previous: rows[0]?.body ?? undefined, version: rows[0]?.version ?? 0 }
}
