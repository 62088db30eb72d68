import type { Knex } from 'knex'
import { fromKnex } from '../../host/sql-tx.ts'
import type { BeginTransaction } from '../../rest/storage/transactions.ts'
import { serializableGate } from './schema.ts'

/** Transactions of a knex pool. */
export function knexTransactions(knex: Knex): BeginTransaction {
  return (work, { serializable }) =>
    knex.transaction(
      async (trx) => {
        const tx = fromKnex(trx)
        // LOCK takes no snapshot: a transaction sees what it has waited for.
        if (serializable) await tx.query(`lock table ${serializableGate} in exclusive mode`)
        return work(tx)
      },
      { isolationLevel: serializable ? 'serializable' : 'read committed' },
    )
}
