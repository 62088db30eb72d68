import assert from 'node:assert/strict'
import { it } from 'node:test'
import {
  pruneRegistryChanges,
  readRegistryChanges,
  recordRegistryChange,
} from '../../../src/outbox/registry-changes.ts'
import { openTransaction, testOutbox } from './outbox-fixture.ts'

it('a change is reported once, after its commit, in whatever order transactions commit', async (t) => {
  const { db, schema, pool } = await testOutbox(t)
  await recordRegistryChange(db, schema, ['A/before'])
  let { snapshot, references } = await readRegistryChanges(db, schema, undefined)
  assert.deepEqual(references, [])
  const read = async (): Promise<readonly string[]> => {
    ;({ snapshot, references } = await readRegistryChanges(db, schema, snapshot))
    return references.toSorted()
  }
  const late = await openTransaction(pool)
  await recordRegistryChange(late.tx, schema, ['A/late', 'B/late'])
  await recordRegistryChange(db, schema, ['A/early', 'A/early'])
  assert.deepEqual(await read(), ['A/early'])
  assert.deepEqual(await read(), [])
  const gone = await openTransaction(pool)
  await recordRegistryChange(gone.tx, schema, ['A/gone'])
  await gone.rollback()
  await late.commit()
  assert.deepEqual(await read(), ['A/late', 'B/late'])
  assert.deepEqual(await read(), [])
})

it('nothing is written for no reference', async (t) => {
  const { schema } = await testOutbox(t)
  const tx = { query: () => assert.fail('a statement was run') }
  await recordRegistryChange(tx, schema, [])
})

it('pruning keeps what a node that slept meanwhile has to know', async (t) => {
  const { db, schema, pool } = await testOutbox(t)
  const { snapshot } = await readRegistryChanges(db, schema, undefined)
  for (const reference of ['A/1', 'A/2', 'A/1', 'A/1']) {
    await recordRegistryChange(db, schema, [reference])
  }
  const open = await openTransaction(pool)
  await recordRegistryChange(open.tx, schema, ['A/2'])
  await pruneRegistryChanges(db, schema)
  const { rows } = await pool.query(`select reference from ${schema.registryChange} order by 1`)
  assert.deepEqual(rows, [{ reference: 'A/1' }, { reference: 'A/2' }])
  const changes = await readRegistryChanges(db, schema, snapshot)
  assert.deepEqual(changes.references.toSorted(), ['A/1', 'A/2'])
  await open.commit()
  const later = await readRegistryChanges(db, schema, changes.snapshot)
  assert.deepEqual(later.references, ['A/2'])
})
