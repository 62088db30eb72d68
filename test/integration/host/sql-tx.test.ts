import assert from 'node:assert/strict'
import { it } from 'node:test'
import knex from 'knex'
import { fromKnex, fromPg } from '../../../src/host/sql-tx.ts'
import { testDatabase } from '../../helpers/postgres.ts'

// Repeated and reordered placeholders, and jsonb's ? and ?| operators.
const text = `select $2::text as second, $1::text as first, $2::text || $1::text as both,
  jsonb_exists($3::jsonb, 'a') as exists, $3::jsonb ? 'a' as has, $3::jsonb ?| array['x', $2] as any`
const values = ['one', 'two', '{"a": 1, "two": 2}']
const expected = {
  second: 'two',
  first: 'one',
  both: 'twoone',
  exists: true,
  has: true,
  any: true,
}

it('pg and knex answer the same statement alike, in their own open transaction', async (t) => {
  const { connectionString, pool } = await testDatabase(t)
  const client = await pool.connect()
  try {
    const { rows, rowCount } = await fromPg(client).query(text, values)
    assert.deepEqual([rows, rowCount], [[expected], 1])
  } finally {
    client.release()
  }

  const database = knex({ client: 'pg', connection: connectionString })
  try {
    await pool.query('create table written (id int)')
    const rollback = new Error('roll back')
    await assert.rejects(
      database.transaction(async (trx) => {
        const tx = fromKnex(trx)
        const { rows, rowCount } = await tx.query(text, values)
        assert.deepEqual([rows, rowCount], [[expected], 1])
        await tx.query('insert into written values ($1)', [1])
        throw rollback
      }),
      rollback,
    )
    assert.equal((await pool.query('select * from written')).rowCount, 0)
  } finally {
    await database.destroy()
  }
})
