import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { CommitHooks } from '../../../src/host/types.ts'
import { fromPg } from '../../../src/host/sql-tx.ts'
import { UnitOfWork } from '../../../src/host/unit-of-work.ts'
import { testDatabase } from '../../helpers/postgres.ts'

const silentHooks: CommitHooks = {
  beforeCommit: () => Promise.resolve(),
  afterCommit: () => Promise.resolve(),
  afterRollback: () => undefined,
}

describe('UnitOfWork on PostgreSQL', () => {
  it('fails before COMMIT when the host swallowed a failed statement', async (t) => {
    const { pool } = await testDatabase(t)
    const client = await pool.connect()
    try {
      const unit = new UnitOfWork([silentHooks])
      await client.query('begin')
      unit.record({ interaction: 'create', resourceType: 'Patient', id: 'a' })
      await assert.rejects(client.query('select * from missing'))
      await assert.rejects(unit.beforeCommit(fromPg(client)), { code: '25P02' })
      // Why it matters: PostgreSQL calls this a success.
      assert.equal((await client.query('commit')).command, 'ROLLBACK')
    } finally {
      client.release()
    }
  })

  it('lets a healthy transaction commit', async (t) => {
    const { pool } = await testDatabase(t)
    const client = await pool.connect()
    try {
      const unit = new UnitOfWork([silentHooks])
      await client.query('begin')
      unit.record({ interaction: 'create', resourceType: 'Patient', id: 'a' })
      await unit.beforeCommit(fromPg(client))
      assert.equal((await client.query('commit')).command, 'COMMIT')
    } finally {
      client.release()
    }
  })
})
