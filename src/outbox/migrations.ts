import type pg from 'pg'
import { TopicDestinationError } from '../errors.ts'
import { createTables } from './migrations/0001-outbox.ts'
import { createSources } from './migrations/0002-sources.ts'
import { createOwnTypes } from './migrations/0003-own-types.ts'
import { createNodes } from './migrations/0004-nodes.ts'
import { extendUndecided } from './migrations/0005-undecided.ts'
import { nameDatabase } from './migrations/0006-database.ts'
import { createJobs } from './migrations/0007-jobs.ts'
import { createAnnouncements } from './migrations/0008-announcements.ts'
import { settleAfterCopy } from './restore.ts'
import { lockKeys, outboxSchema, type OutboxSchema } from './schema.ts'

/** Forward only: a migration that was released is never edited, a new one is appended. The version is the place in the list. */
const migrations: readonly ((schema: OutboxSchema) => string)[] = [
  createTables,
  createSources,
  createOwnTypes,
  createNodes,
  extendUndecided,
  nameDatabase,
  createJobs,
  createAnnouncements,
]

/** What this version of the module works with. */
export const outboxVersion: number = migrations.length

/** Brings the outbox's schema to this version. Any number of nodes may call it at the same time; all but one wait.
 *  @returns the version before; 0 when there was no schema
 *  @throws TopicDestinationError `KTD_SCHEMA_TOO_NEW` when a newer version of this module has written the schema */
export async function migrateOutbox(pool: pg.Pool, schema: OutboxSchema): Promise<number> {
  return underMigrationLock(pool, schema, async (client) => {
    const version = await readOutboxVersion(client, schema)
    for (let next = version + 1; next <= outboxVersion; next++) {
      await client.query(migrationSql(schema, next))
    }
    await settleAfterCopy(client, schema)
    return version
  })
}

/** One transaction for all DDL that belongs to the schema; other nodes' wait for it. */
export async function underMigrationLock<Result>(
  pool: pg.Pool,
  schema: OutboxSchema,
  work: (client: pg.PoolClient) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect()
  try {
    // Whatever the database's default is: what is there must be read anew after waiting for the lock.
    await client.query('begin isolation level read committed')
    await client.query('select pg_advisory_xact_lock($1, $2)', [schema.lockKey, lockKeys.migration])
    const result = await work(client)
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw error
  } finally {
    client.release()
  }
}

/** Everything that the module runs on an empty database, for database administrators who create schemas by hand.
 *  @param schema name, as in the option `schema`
 *  @throws TopicDestinationError `KTD_INVALID_OPTION` */
export function outboxMigrationsSql(schema?: string): string {
  return migrationsSql(outboxSchema(schema))
}

export function migrationsSql(schema: OutboxSchema): string {
  return [
    'begin;',
    ...migrations.map((_migration, index) => migrationSql(schema, index + 1)),
    'commit;\n',
  ].join('\n')
}

/** 0 when there is no schema. The table is asked for only when it exists: a role that may not create schemas
 *  can then use one that was created for it.
 *  @throws TopicDestinationError `KTD_SCHEMA_TOO_NEW` when a newer version of this module has written the schema */
export async function readOutboxVersion(
  client: pg.Pool | pg.PoolClient,
  schema: OutboxSchema,
): Promise<number> {
  const { rows } = await client.query<{ exists: boolean }>(
    `select to_regclass($1) is not null as exists`,
    [schema.migration],
  )
  if (!rows[0]?.exists) return 0
  const versions = await client.query<{ version: number | null }>(
    `select max(version) as version from ${schema.migration}`,
  )
  const version = versions.rows[0]?.version ?? 0
  if (version > outboxVersion) {
    throw new TopicDestinationError(
      'KTD_SCHEMA_TOO_NEW',
      `The schema ${schema.name} has version ${version}, this module knows ${outboxVersion}.`,
    )
  }
  return version
}

function migrationSql(schema: OutboxSchema, version: number): string {
  const migration = migrations[version - 1]
  if (!migration) throw new RangeError(`there is no migration ${version}`)
  return `${migration(schema)}
insert into ${schema.migration} (version) values (${version});`
}
