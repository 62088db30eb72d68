import { OperationOutcomeError } from '@medplum/core'
import type { Pool } from 'pg'
import type { UndecidedQueueParts } from './delivery/undecided-queue.ts'
import { TopicDestinationError } from './errors.ts'
import { fromPg } from './host/sql-tx.ts'
import type { SqlTx } from './host/types.ts'
import { pgTransactions } from './own-types/pg-transactions.ts'
import { unavailable } from './rest/outcomes.ts'

/** The pool that `stop()` ends. Whoever still asks then, as `$status` does, is told so. */
export function untilEnded(pool: Pool): SqlTx {
  const db = fromPg(pool)
  return {
    query: async (text, values) => {
      assertNotEnded(pool)
      return db.query(text, values)
    },
  }
}

/** Transactions of the pool, as {@link untilEnded}. */
export function transactionsUntilEnded(pool: Pool): UndecidedQueueParts['inTransaction'] {
  const inTransaction = pgTransactions(pool)
  return async (work) => {
    assertNotEnded(pool)
    return inTransaction(work, { serializable: false })
  }
}

function assertNotEnded(pool: Pool): void {
  if (pool.ending) throw stoppedError('The database was asked after stop().')
}

/** An outcome, because it is what every host can answer. */
export function stoppedError(text: string): OperationOutcomeError {
  const cause = new TopicDestinationError('KTD_STOPPED', text)
  return new OperationOutcomeError(unavailable('The server is stopping.'), cause)
}
