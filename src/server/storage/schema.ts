import type { Knex } from 'knex'
import { fromKnex } from '../../host/sql-tx.ts'
import { versionTablesDdl, type VersionTableNames } from '../../rest/storage/stored-versions.ts'
import { searchIndexDdl, searchIndexRelations } from '../search/search-index.ts'

export const resourceTables: VersionTableNames = {
  current: 'fhir_resource',
  history: 'fhir_resource_history',
}

/** An empty table, locked by serializable transactions: see `BeginTransaction`. */
export const serializableGate = 'fhir_serializable_gate'

/** For what is asked of all changes of a time. */
const historyTimeIndex = `${resourceTables.history}_last_updated`

/** Any number, the same in every node. */
const migrationLock = 7_274_119_226_103_001n

/** What belongs together, with the statements that create it. */
const parts: readonly { readonly relations: readonly string[]; readonly ddl: string }[] = [
  { relations: Object.values(resourceTables), ddl: versionTablesDdl(resourceTables) },
  {
    relations: [historyTimeIndex],
    ddl: `create index if not exists ${historyTimeIndex} on ${resourceTables.history} (last_updated)`,
  },
  { relations: [serializableGate], ddl: `create table if not exists ${serializableGate} ()` },
  { relations: searchIndexRelations, ddl: searchIndexDdl },
]

/** Creates the tables and indexes that are not there. Any number of nodes may call it at the same time; all but one wait.
 *
 *  Looks before: "create index if not exists" locks the table first. A node that starts would wait for the transactions that
 *  are open, and every write of the cluster for that node. */
export async function migrateServer(knex: Knex): Promise<void> {
  await knex.transaction(async (trx) => {
    const tx = fromKnex(trx)
    await tx.query('select pg_advisory_xact_lock($1::bigint)', [migrationLock.toString()])
    for (const { relations, ddl } of parts) {
      const { rows } = await tx.query(
        'select from unnest($1::text[]) as name where to_regclass(name) is null',
        [relations],
      )
      if (rows.length > 0) await tx.query(ddl)
    }
  })
}
