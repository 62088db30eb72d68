import type { Knex } from 'knex'
import { fromKnex } from '../../host/sql-tx.ts'
import { versionTablesDdl, type VersionTableNames } from '../../rest/storage/stored-versions.ts'
import { searchIndexDdl } from '../search/search-index.ts'

export const resourceTables: VersionTableNames = {
  current: 'fhir_resource',
  history: 'fhir_resource_history',
}

/** An empty table, locked by serializable transactions: see `BeginTransaction`. */
export const serializableGate = 'fhir_serializable_gate'

/** Any number, the same in every node. */
const migrationLock = 7_274_119_226_103_001n

const ddl = `
${versionTablesDdl(resourceTables)}
create table if not exists ${serializableGate} ();
create index if not exists ${resourceTables.history}_last_updated on ${resourceTables.history} (last_updated);
`

/** Creates the tables that are not there. Any number of nodes may call it at the same time; all but one wait. */
export async function migrateServer(knex: Knex): Promise<void> {
  await knex.transaction(async (trx) => {
    const tx = fromKnex(trx)
    await tx.query('select pg_advisory_xact_lock($1::bigint)', [migrationLock.toString()])
    await tx.query(ddl)
    await tx.query(searchIndexDdl)
  })
}
