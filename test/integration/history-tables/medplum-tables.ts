import { randomUUID } from 'node:crypto'
import type { Pool } from 'pg'

interface Queries {
  query(text: string, values?: unknown[]): Promise<unknown>
}

export interface Version {
  readonly id: string
  readonly versionId: string
  readonly content: string
}

/** Tables as Medplum's migrations make them, less the search columns. */
export async function createMedplumTables(pool: Pool, ...types: readonly string[]): Promise<void> {
  for (const type of types) {
    await pool.query(
      `create table "${type}" (id uuid primary key, content text not null, "lastUpdated" timestamptz not null,
         deleted boolean not null default false, "projectId" uuid, compartments uuid[]);
       create table "${type}_History" ("versionId" uuid primary key, id uuid not null, content text not null,
         "lastUpdated" timestamptz not null);
       create index on "${type}_History" (id)`,
    )
  }
}

/** Writes a version as Medplum does: the current row first, which locks the resource, then the history row.
 *
 *  The time is the database's, to the microsecond, and not Medplum's to the millisecond: tests write faster than people. */
export async function put(
  client: Queries,
  resourceType: string,
  id: string,
  elements: object = {},
): Promise<Version> {
  const versionId = randomUUID()
  const lastUpdated = new Date().toISOString()
  const meta = { versionId, lastUpdated }
  const content = JSON.stringify({ resourceType, id, meta, ...elements })
  return write(client, resourceType, { id, versionId, content })
}

export async function remove(client: Queries, resourceType: string, id: string): Promise<Version> {
  return write(client, resourceType, { id, versionId: randomUUID(), content: '' })
}

async function write(client: Queries, resourceType: string, version: Version): Promise<Version> {
  const { id, versionId, content } = version
  await client.query(
    `insert into "${resourceType}" (id, content, "lastUpdated", deleted) values ($1, $2, clock_timestamp(), $3)
     on conflict (id) do update set content = excluded.content, "lastUpdated" = excluded."lastUpdated", deleted = excluded.deleted`,
    [id, content, content === ''],
  )
  await client.query(
    `insert into "${resourceType}_History" ("versionId", id, content, "lastUpdated") values ($1, $2, $3, clock_timestamp())`,
    [versionId, id, content],
  )
  return version
}
