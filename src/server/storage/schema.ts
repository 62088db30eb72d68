import type { Knex } from 'knex'
import { fromKnex } from '../../host/sql-tx.ts'
import { searchIndexDdl } from '../search/search-index.ts'

/** Current resources, one row for each; a deleted one keeps its row, without content. */
export const resourceTable = 'fhir_resource'

/** Every version of every resource, the current one and deletions too. */
export const historyTable = 'fhir_resource_history'

/** An empty table, locked by serializable transactions: see `enterSerializable`. */
export const serializableGate = 'fhir_serializable_gate'

/** Any number, the same in every node. */
const migrationLock = 7_274_119_226_103_001n

/** `json` and not `jsonb`: jsonb orders the keys of objects anew, and a resource is answered as it was sent. */
const resourceDdl = `
create table if not exists ${resourceTable} (
  type text not null,
  id text not null,
  version_id int not null,
  last_updated timestamptz not null,
  deleted boolean not null,
  content json,
  primary key (type, id)
);
create table if not exists ${historyTable} (
  type text not null,
  id text not null,
  version_id int not null,
  last_updated timestamptz not null,
  deleted boolean not null,
  content json,
  method text not null,
  creates boolean not null,
  primary key (type, id, version_id)
);
create table if not exists ${serializableGate} ();
`

/** Creates the tables that are not there. Any number of nodes may call it at the same time; all but one wait. */
export async function migrateServer(knex: Knex): Promise<void> {
  await knex.transaction(async (trx) => {
    const tx = fromKnex(trx)
    await tx.query('select pg_advisory_xact_lock($1::bigint)', [migrationLock.toString()])
    await tx.query(resourceDdl)
    await tx.query(searchIndexDdl)
  })
}
