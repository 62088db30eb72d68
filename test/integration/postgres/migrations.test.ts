import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fromPg } from '../../../src/host/sql-tx.ts'
import { silentLogger } from '../../../src/observability/logger.ts'
import { countBacklogs } from '../../../src/outbox/backlog-count.ts'
import { cleanOutbox, deleteSettledEvents, foldSilentNodes } from '../../../src/outbox/cleanup.ts'
import { readDeliveryStatus } from '../../../src/outbox/counters.ts'
import { enqueueEvents } from '../../../src/outbox/enqueue.ts'
import { Leadership } from '../../../src/outbox/leadership.ts'
import { NodeSession } from '../../../src/outbox/node-session.ts'
import { migrateOutbox, outboxMigrationsSql } from '../../../src/outbox/migrations.ts'
import {
  pruneRegistryChanges,
  readRegistryChanges,
  recordRegistryChange,
} from '../../../src/outbox/registry-changes.ts'
import { readInstallation } from '../../../src/outbox/restore.ts'
import { outboxSchema } from '../../../src/outbox/schema.ts'
import { testDatabase } from '../../helpers/postgres.ts'
import {
  addDestination,
  cursorRow,
  drain,
  idsOf,
  newEvent,
  newEvents,
  openTransaction,
  settleAll,
  takeOver,
  testOutbox,
  write,
} from './outbox-fixture.ts'

describe('migrateOutbox', () => {
  for (const isolation of ['read committed', 'repeatable read']) {
    it(`may be called by twenty nodes at once (${isolation})`, async (t) => {
      const { pool } = await testDatabase(t)
      const schema = outboxSchema()
      pool.on('connect', (client) => {
        client
          .query(`set default_transaction_isolation = '${isolation}'`)
          .catch((error: unknown) => assert.fail(String(error)))
      })
      await Promise.all(Array.from({ length: 20 }, () => migrateOutbox(pool, schema)))
      const { rows } = await pool.query<{ version: number }>(
        `select version from ${schema.migration}`,
      )
      assert.deepEqual(
        rows.map(({ version }) => version),
        [1, 2, 3, 4, 5, 6, 7, 8],
      )
      const installations = await pool.query(`select from ${schema.cluster}`)
      assert.equal(installations.rows.length, 1)
    })
  }

  it('changes nothing the second time', async (t) => {
    const outbox = await testOutbox(t)
    const { destinationId, topicId } = await addDestination(outbox, 'a')
    await write(outbox, topicId, 'p')
    const before = await cursorRow(outbox, destinationId)
    const { installationId } = await readInstallation(outbox.db, outbox.schema)
    await migrateOutbox(outbox.pool, outbox.schema)
    assert.deepEqual(await cursorRow(outbox, destinationId), before)
    assert.deepEqual(await readInstallation(outbox.db, outbox.schema), { installationId })
    assert.match(installationId, /^[0-9a-f]{12}$/)
  })

  it('refuses a schema that a newer version has written, and touches nothing', async (t) => {
    const { pool, schema } = await testOutbox(t)
    await pool.query(`insert into ${schema.migration} (version) values (1000)`)
    await assert.rejects(migrateOutbox(pool, schema), { code: 'KTD_SCHEMA_TOO_NEW' })
    // The connection went back to the pool without the transaction.
    assert.equal(pool.idleCount, pool.totalCount)
    const { rows } = await pool.query(
      `select from pg_locks l join pg_database d on d.oid = l.database
        where l.locktype = 'advisory' and d.datname = current_database()`,
    )
    assert.equal(rows.length, 0)
  })

  it('accepts the tables that an administrator made with the printed SQL', async (t) => {
    const { pool } = await testDatabase(t)
    const schema = outboxSchema('by_hand')
    await pool.query(outboxMigrationsSql('by_hand'))
    await migrateOutbox(pool, schema)
    const { rows } = await pool.query<{ version: number }>(
      `select version from ${schema.migration}`,
    )
    assert.deepEqual(
      rows.map(({ version }) => version),
      [1, 2, 3, 4, 5, 6, 7, 8],
    )
  })

  it('leaves nothing behind when it fails', async (t) => {
    const { pool } = await testDatabase(t)
    const schema = outboxSchema('half')
    await pool.query(`create schema half; create table half.event_2 ()`)
    await assert.rejects(migrateOutbox(pool, schema), /event_2/)
    const { rows } = await pool.query(
      `select relname from pg_class where relnamespace = 'half'::regnamespace`,
    )
    assert.deepEqual(rows, [{ relname: 'event_2' }])
  })
})

describe('a schema', () => {
  it('may have any name that PostgreSQL can quote; every statement works in it', async (t) => {
    await Promise.all(
      [`a "b" 'c' $$ ; d $1 ? \\`, 'ünï', 'Select', 'x'.repeat(63)].map(async (name) => {
        const outbox = await testOutbox(t, outboxSchema(name, { slotEvents: 10 }))
        const { db, schema, connectionString, pool } = outbox
        const { destinationId, topicId, reference } = await addDestination(outbox, 'a')
        await enqueueEvents(db, schema, newEvents(topicId, 25))
        await countBacklogs(db, schema, { minEvents: 10 })
        const presence = new NodeSession({ connectionString }, schema, silentLogger)
        await presence.start()
        const leadership = new Leadership(presence, schema)
        assert.equal((await leadership.tryLead([destinationId])).won.length, 1)
        await presence.stop()
        const cursor = await takeOver(outbox, destinationId)
        const page = await cursor.nextPage(1, 1e9)
        assert.ok(page)
        await cursor.deadLetter(page, 0, 'too large')
        await cursor.recordFailure(1, 'no broker')
        await settleAll(outbox, destinationId)
        await cleanOutbox(db, schema)
        await deleteSettledEvents(db, schema, 0)
        await foldSilentNodes(db, schema)
        await recordRegistryChange(db, schema, [reference])
        await readRegistryChanges(db, schema, undefined)
        await pruneRegistryChanges(db, schema)
        const status = await readDeliveryStatus(db, schema, reference)
        assert.deepEqual([status?.delivered, status?.dead, status?.queued], [24, 1, 0])
        const { rows } = await pool.query(`select from ${schema.event}`)
        assert.equal(rows.length, 0)
        await migrateOutbox(pool, schema)
      }),
    )
  })

  it('does not see another one in the same database', async (t) => {
    const one = await testOutbox(t, outboxSchema('one'))
    const two = { ...one, schema: outboxSchema('two') }
    await migrateOutbox(one.pool, two.schema)
    const [a, b] = [await addDestination(one, 'a'), await addDestination(two, 'a')]
    await write(one, a.topicId, 'p')
    assert.deepEqual(await drain(await takeOver(two, b.destinationId)), [])
    assert.deepEqual(await drain(await takeOver(one, a.destinationId)), ['p'])
    assert.notEqual(one.schema.lockKey, two.schema.lockKey)
  })
})

describe('a dump that was restored into another cluster', () => {
  /** All transaction numbers that the tables hold are foreign: of a cluster that has used many more. */
  const moved = (column: string): string =>
    `${column} = regexp_replace(${column}::text, '^(\\d+):(\\d+).*', '1000\\1:1000\\2:')::pg_snapshot`
  const moveClusters = `set search_path = restored;
    update event set xid = ('1000' || xid::text)::xid8;
    update destination set ${moved('snap')}, ${moved('round_snap')};
    update cluster set system_identifier = 1;
    reset search_path`

  it('delivers everything that was queued, and nothing from before a destination’s first unsettled event', async (t) => {
    const outbox = await testOutbox(t, outboxSchema('restored'))
    const { pool, schema } = outbox
    const half = await addDestination(outbox, 'half')
    await write(outbox, half.topicId, 'a', 'b', 'c', 'd')
    const done = await addDestination(outbox, 'done')
    const cursor = await takeOver(outbox, half.destinationId)
    const page = await cursor.nextPage(2, 1e9)
    assert.ok(page)
    await cursor.acknowledge(page)
    const sent = await cursor.nextPage(2, 1e9)
    assert.deepEqual(idsOf(sent), ['c', 'd'])
    const before = await readInstallation(outbox.db, schema)
    await pool.query(moveClusters)
    await Promise.all(Array.from({ length: 5 }, () => migrateOutbox(pool, schema)))
    assert.ok(sent)
    await assert.rejects(cursor.acknowledge(sent), { code: 'KTD_FENCED' })
    assert.deepEqual(await drain(await takeOver(outbox, half.destinationId)), ['c', 'd'])
    assert.deepEqual(await drain(await takeOver(outbox, done.destinationId)), [])
    const late = await openTransaction(pool)
    await enqueueEvents(late.tx, schema, [newEvent(half.topicId, 'late')])
    await write(outbox, half.topicId, 'new')
    for (const { destinationId } of [half, done]) {
      assert.deepEqual(await drain(await takeOver(outbox, destinationId)), ['new'])
    }
    await late.commit()
    for (const { destinationId } of [half, done]) {
      assert.deepEqual(await drain(await takeOver(outbox, destinationId)), ['late'])
    }
    const status = await readDeliveryStatus(outbox.db, schema, half.reference)
    assert.deepEqual([status?.delivered, status?.queued], [6, 0])
    assert.notDeepEqual(await readInstallation(outbox.db, schema), before)
  })

  it('has lost its counts, not its queue', async (t) => {
    const outbox = await testOutbox(t, outboxSchema('restored'))
    const { pool, schema } = outbox
    const { destinationId, topicId, reference } = await addDestination(outbox, 'a')
    await enqueueEvents(outbox.db, schema, newEvents(topicId, 30))
    await countBacklogs(fromPg(pool), schema, { minEvents: 10 })
    await takeOver(outbox, destinationId)
    await pool.query(`update ${schema.cluster} set system_identifier = 1`)
    await migrateOutbox(pool, schema)
    assert.equal((await readDeliveryStatus(outbox.db, schema, reference))?.queued, 30)
  })
})

it('a copy in the same cluster gets a name of its own and goes on where the original was', async (t) => {
  const original = await testOutbox(t)
  const copy = await testDatabase(t)
  const { pool: administrator } = await testDatabase(t)
  const { db, pool, schema } = original
  const { destinationId, topicId } = await addDestination(original, 'd')
  await write(original, topicId, 'a', 'b')
  const cursor = await takeOver(original, destinationId)
  const page = await cursor.nextPage(1, 1e9)
  assert.ok(page)
  await cursor.acknowledge(page)
  const before = await readInstallation(db, schema)
  const [from, to] = [original, copy].map(({ connectionString }) =>
    new URL(connectionString).pathname.slice(1),
  )
  await administrator.query(
    'select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = $1',
    [from],
  )
  await administrator.query(`drop database ${to}`)
  await administrator.query(`create database ${to} template ${from}`)
  await migrateOutbox(copy.pool, schema)
  await migrateOutbox(pool, schema)
  const copied = { ...copy, db: fromPg(copy.pool), schema }
  assert.deepEqual(await readInstallation(db, schema), before)
  assert.notDeepEqual(await readInstallation(copied.db, schema), before)
  for (const each of [original, copied]) {
    assert.deepEqual(await drain(await takeOver(each, destinationId)), ['b'])
  }
})
