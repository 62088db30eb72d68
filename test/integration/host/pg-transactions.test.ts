import assert from 'node:assert/strict'
import { it } from 'node:test'
import { pgTransactions } from '../../../src/own-types/pg-transactions.ts'
import { testDatabase } from '../../helpers/postgres.ts'

it('a session that is ended between two statements fails its transaction, not the process', async (t) => {
  const { pool } = await testDatabase(t)
  const inTransaction = pgTransactions(pool)
  const failed = inTransaction(
    async (tx) => {
      const { rows } = await tx.query<{ pid: number }>('select pg_backend_pid() as pid')
      const isGone = async (): Promise<boolean> => {
        const found = await pool.query('select from pg_stat_activity where pid = $1', [
          rows[0]?.pid,
        ])
        return found.rowCount === 0
      }
      await pool.query('select pg_terminate_backend($1, 10000)', [rows[0]?.pid])
      assert.ok(await isGone())
      await tx.query('select 1')
    },
    { serializable: false },
  )
  await assert.rejects(failed)
  // The pool goes on with another session.
  assert.equal(
    await inTransaction(async (tx) => (await tx.query('select 1')).rows.length, {
      serializable: false,
    }),
    1,
  )
})
