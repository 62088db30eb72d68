import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CurrentResources } from '../../../src/history-tables/current-resources.ts'
import { resolveLayout } from '../../../src/history-tables/table-layout.ts'
import { fromPg } from '../../../src/host/sql-tx.ts'
import { testDatabase } from '../../helpers/postgres.ts'
import { openTransaction } from '../postgres/outbox-fixture.ts'
import { newId } from './captures.ts'
import { createMedplumTables, put, remove } from './medplum-tables.ts'

describe('current resources', () => {
  it('are those that are there and not deleted, as the transaction sees them', async (t) => {
    const { pool } = await testDatabase(t)
    await createMedplumTables(pool, 'Patient', 'Observation')
    const resources = new CurrentResources(resolveLayout())
    const [a, b, deleted, uncommitted] = [newId(), newId(), newId(), newId()]
    await put(pool, 'Patient', a, { active: true })
    await put(pool, 'Observation', b)
    await put(pool, 'Patient', deleted)
    await remove(pool, 'Patient', deleted)
    const open = await openTransaction(pool)
    await put(open.tx, 'Patient', uncommitted)
    const references = [
      ...[a, b, deleted, uncommitted, a.toUpperCase(), newId(), 'no-uuid', ''].map(
        (id) => `Patient/${id}`,
      ),
      `Observation/${b}`,
      `Encounter/${a}`,
      'Patient',
    ]
    const found = await resources.read(fromPg(pool), references)
    assert.deepEqual([...found.keys()], [`Patient/${a}`, `Observation/${b}`])
    assert.equal(found.get(`Patient/${a}`)?.['active'], true)
    const foundInside = await resources.read(open.tx, references)
    assert.ok(foundInside.has(`Patient/${uncommitted}`))
    await open.rollback()
    const sorted = [a, ...[newId(), newId()]].toSorted()
    for (const id of sorted) await put(pool, 'Patient', id)
    const listed = [`Observation/${b}`, ...sorted.map((id) => `Patient/${id}`)]
    const db = fromPg(pool)
    assert.deepEqual(await resources.references(db, { limit: 9 }), listed)
    const first = await resources.references(db, { types: ['Patient', 'Observation'], limit: 2 })
    assert.deepEqual(first, listed.slice(0, 2))
    const after = first[1] ?? ''
    assert.deepEqual(await resources.references(db, { after, limit: 2 }), listed.slice(2))
  })

  it('are found in one table for all types, by numbers', async (t) => {
    const { pool } = await testDatabase(t)
    await pool.query(
      `create table resource (kind text, key bigint, body jsonb, primary key (kind, key));
       insert into resource values ('Patient', 1, '{"n": 1}'), ('Observation', 1, '{"n": 2}'), ('Patient', 2, null)`,
    )
    const layout = resolveLayout({
      historyTable: 'resource_history',
      currentTable: 'resource',
      columns: { resourceType: 'kind', id: 'key', content: 'body', deleted: null },
    })
    const resources = new CurrentResources(layout)
    const references = ['Patient/1', 'Patient/2', 'Patient/x', 'Patient/9'.padEnd(40, '9')]
    const found = await resources.read(fromPg(pool), references)
    assert.deepEqual([...found], [['Patient/1', { n: 1 }]])
    const listed = await resources.references(fromPg(pool), { limit: 9 })
    assert.deepEqual(listed, ['Observation/1', 'Patient/1'])
  })
})
