import type { SqlTx } from '../host/types.ts'
import type { OutboxSchema, Queryable } from './schema.ts'

/** Notes in the caller's transaction which topics and destinations it changed. Only appends, so that it never waits for another one. */
export async function recordRegistryChange(
  tx: SqlTx,
  schema: OutboxSchema,
  references: readonly string[],
): Promise<void> {
  if (references.length === 0) return
  const values = references.map((_reference, index) => `($${index + 1})`).join(',')
  await tx.query(`insert into ${schema.registryChange} (reference) values ${values}`, references)
}

export interface RegistryChanges {
  /** Pass it to the next call. */
  readonly snapshot: string
  /** Relative references, each once, of what was committed after the given snapshot. */
  readonly references: readonly string[]
}

/** What was committed since `sinceSnapshot`; without one just a snapshot to begin with. Run it outside of a transaction.
 *
 *  Exact in whatever order transactions commit: a row is reported by the first call whose snapshot contains its transaction. A
 *  reader that remembered the largest id would miss the transaction that drew a smaller id and committed later.
 *  Index: `registry_change_xid`; what a snapshot does not contain is not older than its xmin. */
export async function readRegistryChanges(
  db: Queryable,
  schema: OutboxSchema,
  sinceSnapshot: string | undefined,
): Promise<RegistryChanges> {
  const { rows } = await db.query<{ snapshot: string; references: string[] }>(
    `select pg_current_snapshot()::text as snapshot,
            array(select distinct reference from ${schema.registryChange}
                   where xid >= pg_snapshot_xmin($1::pg_snapshot)
                     and not pg_visible_in_snapshot(xid, $1::pg_snapshot)) as references`,
    [sinceSnapshot ?? null],
  )
  const [changes] = rows
  if (!changes) throw new Error('the snapshot was not read')
  return changes
}

/** Drops rows that a newer row of the same reference makes superfluous.
 *
 *  Never hides a change from a node, however long it slept: transactions that change one resource wait for each other on its row, so
 *  a smaller id of the same reference was committed earlier. Who has seen the newer row has seen the older one, who has not
 *  is told by the newer one. */
export async function pruneRegistryChanges(db: Queryable, schema: OutboxSchema): Promise<void> {
  await db.query(
    `delete from ${schema.registryChange} old
      using (select reference, max(id) as id from ${schema.registryChange} group by reference) newest
      where old.reference = newest.reference and old.id < newest.id`,
  )
}
