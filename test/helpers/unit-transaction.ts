import type { Pool, PoolClient } from 'pg'
import { fromPg } from '../../src/host/sql-tx.ts'
import type { UnitOfWork } from '../../src/host/unit-of-work.ts'

export interface UnitTransactionOptions {
  /** @default 'begin' */
  readonly begin?: string
  /** Called when COMMIT is sent. */
  readonly onCommit?: () => void
}

/** One attempt of a transaction of a host on pg: `work` writes and records. Resolves when the request would be answered; a rejection rolls
 *  back. */
export async function unitTransaction(
  pool: Pool,
  unit: UnitOfWork,
  work: (client: PoolClient) => Promise<unknown>,
  { begin = 'begin', onCommit }: UnitTransactionOptions = {},
): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query(begin)
    await work(client)
    await unit.beforeCommit(fromPg(client))
    onCommit?.()
    await client.query('commit')
  } catch (error) {
    await client.query('rollback')
    unit.afterRollback()
    throw error
  } finally {
    client.release()
  }
  await unit.afterCommit()
}
