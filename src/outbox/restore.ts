import type pg from 'pg'
import { fromPg } from '../host/sql-tx.ts'
import { uncountedEvents } from './backlog-count.ts'
import type { OutboxSchema, Queryable } from './schema.ts'
import { markStretches, restoreStretches } from './sources.ts'

/** Names of this outbox that tell it from every other one. */
export interface Installation {
  /** Random, made with the tables: part of transactional ids, so that two installations on one Kafka do not fence each other. */
  readonly installationId: string
}

export async function readInstallation(db: Queryable, schema: OutboxSchema): Promise<Installation> {
  const { rows } = await db.query<Installation>(
    `select installation_id as "installationId" from ${schema.cluster}`,
  )
  const [installation] = rows
  if (!installation) throw new Error(`the table ${schema.cluster} is empty`)
  return installation
}

/** Looks whether the tables have come from elsewhere. A copy gets a name of its own: the original may still be running on the same Kafka,
 *  and each would fence the other for ever. Must run in the transaction of the migration, before anything reads. */
export async function settleAfterCopy(
  client: Pick<pg.ClientBase, 'query'>,
  schema: OutboxSchema,
): Promise<void> {
  const { rows } = await client.query<{ other_cluster: boolean; other_database: boolean }>(
    `select c.system_identifier <> p.system_identifier as other_cluster, c.database_oid <> d.oid as other_database
       from ${schema.cluster} c, pg_control_system() p, pg_database d where d.datname = current_database()`,
  )
  const isElsewhere = rows[0]?.other_cluster === true
  if (isElsewhere) await rebase(client, schema)
  if (!isElsewhere && rows[0]?.other_database !== true) return
  await client.query(
    `update ${schema.cluster}
        set system_identifier = (select system_identifier from pg_control_system()),
            database_oid = (select oid from pg_database where datname = current_database()),
            installation_id = substr(replace(gen_random_uuid()::text, '-', ''), 1, 12)`,
  )
}

/** Transaction numbers mean nothing in another database cluster. After a dump was restored into one, every event that the
 *  dump held gets the number of this transaction, and each destination starts again before its first unsettled event: what was delivered
 *  above that comes again, nothing is left out. Databases of one cluster share their numbers. */
async function rebase(client: Pick<pg.ClientBase, 'query'>, schema: OutboxSchema): Promise<void> {
  const db = fromPg(client)
  await client.query(`lock table ${schema.event} in access exclusive mode`)
  // The old numbers still tell what is settled. Without a count, what is not counted is what is not settled.
  await client.query(`update ${schema.destination} set count_snap = null`)
  await client.query(
    `update ${schema.destination} d
        set low = coalesce((select min(e.id) - 1 from ${uncountedEvents(schema)}), greatest(d.pos, d.round_pos))`,
  )
  const marked = await markStretches(db, schema)
  await client.query(`update ${schema.event} set xid = pg_current_xact_id()`)
  await restoreStretches(db, schema, marked)
  // Above low everything counts as new, whatever its number.
  await client.query(
    `update ${schema.destination}
        set epoch = epoch + 1, pos = low, snap = pg_current_snapshot(), round_snap = null, round_pos = null, in_process = 0,
            token = default`,
  )
  await client.query(`truncate ${schema.registryChange}`)
}
