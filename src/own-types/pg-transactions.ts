import type { Pool } from 'pg'
import { fromPg } from '../host/sql-tx.ts'
import type { BeginTransaction } from '../rest/storage/transactions.ts'

/** Transactions of a pg pool. The client is given back before the promise resolves.
 *
 *  Each statement sees what is committed when it begins; who must be alone takes a lock (`OwnTypesStore`).
 *  @throws Error when PostgreSQL has answered COMMIT with ROLLBACK: a statement failed, and somebody went on */
export function pgTransactions(pool: Pool): BeginTransaction {
  return async (work) => {
    const client = await pool.connect()
    let broken: Error | undefined
    // A session that is ended between two statements tells this listener alone; without one the process would end.
    const noteBroken = (error: Error): void => {
      broken = error
    }
    client.on('error', noteBroken)
    try {
      await client.query('begin isolation level read committed')
      const result = await work(fromPg(client))
      const { command } = await client.query('commit')
      if (command !== 'COMMIT')
        throw new Error('The transaction was aborted; COMMIT rolled it back.')
      return result
    } catch (error) {
      await client.query('rollback').catch((failure: unknown) => {
        broken = failure instanceof Error ? failure : new Error('ROLLBACK failed.')
      })
      throw error
    } finally {
      client.off('error', noteBroken)
      // A client whose state nobody knows must not go back to the pool.
      client.release(broken)
    }
  }
}
