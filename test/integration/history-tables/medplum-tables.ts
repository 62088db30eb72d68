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

/** Writes a version as Medplum does: the current row first, which locks the resource, then the history row. */
export async function put(
  client: Queries,
  resourceType: string,
  id: string,
  elements: object = {},
): Promise<Version> {
  const lastUpdated = new Date().toISOString()
  const versionId = randomUUID()
  const content = JSON.stringify({
    resourceType,
    id,
    meta: { versionId, lastUpdated },
    ...elements,
  })
  await write(client, resourceType, { id, versionId, content }, lastUpdated)
  return { id, versionId, content }
}

export async function remove(client: Queries, resourceType: string, id: string): Promise<Version> {
  const version = { id, versionId: randomUUID(), content: '' }
  await write(client, resourceType, version, new Date().toISOString())
  return version
}

async function write(
  client: Queries,
  resourceType: string,
  { id, versionId, content }: Version,
  lastUpdated: string,
): Promise<void> {
  await client.query(
    `insert into "${resourceType}" (id, content, "lastUpdated", deleted) values ($1, $2, $3, $4)
     on conflict (id) do update set content = excluded.content, "lastUpdated" = excluded."lastUpdated", deleted = excluded.deleted`,
    [id, content, lastUpdated, content === ''],
  )
  await client.query(
    `insert into "${resourceType}_History" ("versionId", id, content, "lastUpdated") values ($1, $2, $3, $4)`,
    [versionId, id, content, lastUpdated],
  )
}
