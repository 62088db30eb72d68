import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { Pool } from 'pg'
import { fromPg } from '../../../src/host/sql-tx.ts'
import { cleanOutbox, deleteSettledEvents } from '../../../src/outbox/cleanup.ts'
import { countBacklogs } from '../../../src/outbox/backlog-count.ts'
import { removeDestination } from '../../../src/outbox/destinations.ts'
import { enqueueEvents, parkUndecidedEvents } from '../../../src/outbox/enqueue.ts'
import { outboxSchema } from '../../../src/outbox/schema.ts'
import {
  addDestination,
  drain,
  eventually,
  newEvent,
  newEvents,
  openTransaction,
  settleAll,
  takeOver,
  testOutbox,
  type Outbox,
} from './outbox-fixture.ts'

/** Ten events a slot: ids 1 to 9 are in slot 0, 10 to 19 in slot 1, 40 to 49 in slot 0 again. */
function testRing(t: TestContext): Promise<Outbox> {
  return testOutbox(t, outboxSchema('ring', { slotEvents: 10 }))
}

async function fill({ db, schema }: Outbox, topicId: number, count: number): Promise<void> {
  await enqueueEvents(db, schema, newEvents(topicId, count))
}

/** Events in each slot. */
async function slots({ pool, schema }: Outbox): Promise<number[]> {
  const counts = [0, 1, 2, 3].map(async (slot) => {
    const { rows } = await pool.query<{ count: number }>(
      `select count(*)::int as count from ${schema.slot(slot)}`,
    )
    return rows[0]?.count ?? 0
  })
  return Promise.all(counts)
}

describe('a slot', () => {
  it('is emptied when everything in it is settled, unless it is the one being written or the next', async (t) => {
    const ring = await testRing(t)
    const { destinationId, topicId } = await addDestination(ring, 'a')
    await fill(ring, topicId, 35)
    await cleanOutbox(ring.db, ring.schema)
    assert.deepEqual(await slots(ring), [9, 10, 10, 6])
    await settleAll(ring, destinationId)
    await cleanOutbox(ring.db, ring.schema)
    assert.deepEqual(await slots(ring), [9, 0, 0, 6])
    await fill(ring, topicId, 10)
    await settleAll(ring, destinationId)
    await cleanOutbox(ring.db, ring.schema)
    assert.deepEqual(await slots(ring), [15, 0, 0, 0])
  })

  it('is kept as long as one destination of several needs it, also when it holds a second generation', async (t) => {
    const ring = await testRing(t)
    const quick = await addDestination(ring, 'quick')
    const slow = await addDestination(ring, 'slow')
    await fill(ring, quick.topicId, 75)
    await settleAll(ring, quick.destinationId)
    await cleanOutbox(ring.db, ring.schema)
    assert.deepEqual(await slots(ring), [19, 20, 20, 16])
    const cursor = await takeOver(ring, slow.destinationId)
    // One event of the first generation of slot 2 is left.
    for (let settled = 0; settled < 28; settled++) {
      const page = await cursor.nextPage(1, 1e9)
      assert.ok(page)
      await cursor.acknowledge(page)
    }
    await cleanOutbox(ring.db, ring.schema)
    assert.deepEqual(await slots(ring), [19, 20, 20, 16])
    assert.equal((await drain(cursor)).length, 75 - 28)
    await settleAll(ring, slow.destinationId)
    await cleanOutbox(ring.db, ring.schema)
    assert.deepEqual(await slots(ring), [19, 0, 0, 16])
  })

  it('needs nothing of topics without at-least-once destinations', async (t) => {
    const ring = await testRing(t)
    const { topicId } = await addDestination(ring, 'a')
    await addDestination(ring, 'b', undefined, 'kafka-best-effort')
    await fill(ring, topicId, 35)
    await removeDestination(ring.db, ring.schema, 'AidboxTopicDestination/a')
    await cleanOutbox(ring.db, ring.schema)
    assert.deepEqual(await slots(ring), [9, 0, 0, 6])
  })

  it('is kept while its events wait to be counted', async (t) => {
    const ring = await testRing(t)
    const { destinationId, topicId } = await addDestination(ring, 'a')
    await fill(ring, topicId, 10)
    await countBacklogs(ring.db, ring.schema, { minEvents: 5 })
    const open = await openTransaction(ring.pool)
    await open.tx.query('select pg_current_xact_id()')
    await fill(ring, topicId, 25)
    const cursor = await takeOver(ring, destinationId)
    const page = await cursor.nextPage(5, 1e9)
    assert.ok(page)
    await cursor.acknowledge(page)
    await ring.pool.query(`update ${ring.schema.destination} set low = 30`)
    await cleanOutbox(ring.db, ring.schema)
    assert.deepEqual(await slots(ring), [9, 10, 10, 6])
    await open.rollback()
  })

  it('is not emptied over an insert that is not committed', async (t) => {
    const ring = await testRing(t)
    const { destinationId, topicId } = await addDestination(ring, 'a')
    await fill(ring, topicId, 9)
    const open = await openTransaction(ring.pool)
    await enqueueEvents(open.tx, ring.schema, [newEvent(topicId, 'open')])
    await fill(ring, topicId, 25)
    const cursor = await takeOver(ring, destinationId)
    assert.equal((await drain(cursor)).length, 34)
    await cursor.rest()
    // As if the destination had nothing to wait for: the lock alone has to save the event.
    const forget = (low: number): Promise<unknown> =>
      ring.pool.query(`update ${ring.schema.destination} set low = $1`, [low])
    await forget(19)
    await cleanOutbox(ring.db, ring.schema)
    assert.equal((await slots(ring))[1], 9)
    await forget(9)
    await open.commit()
    await cleanOutbox(ring.db, ring.schema)
    assert.equal((await slots(ring))[1], 10)
    assert.deepEqual(await drain(await takeOver(ring, destinationId)), ['open'])
  })

  it('is judged after the lock, also where transactions are REPEATABLE READ by default', async (t) => {
    const ring = await testRing(t)
    const { destinationId, topicId } = await addDestination(ring, 'a')
    const { rows } = await ring.pool.query<{ name: string }>('select current_database() as name')
    await ring.pool.query(
      `alter database ${rows[0]?.name ?? ''} set default_transaction_isolation = 'repeatable read'`,
    )
    const pool = new Pool({ connectionString: ring.connectionString, application_name: 'janitor' })
    t.after(() => pool.end())
    pool.on('error', () => undefined)
    await fill(ring, topicId, 35)
    await settleAll(ring, destinationId)
    await ring.pool.query(`delete from ${ring.schema.event} where id = 15`)
    const open = await openTransaction(ring.pool)
    await open.tx.query(
      `insert into ${ring.schema.event} (id, topic_id, interaction, resource_type, resource_id) values (15, $1, 'u', 'Patient', 'open')`,
      [topicId],
    )
    const cleaning = cleanOutbox(fromPg(pool), ring.schema)
    await eventually(async () => {
      const waiting = await ring.pool.query(
        `select from pg_stat_activity where application_name = 'janitor' and (wait_event_type = 'Lock' or state = 'idle')`,
      )
      return waiting.rows.length > 0
    })
    // The lock is waited for, or was given up already; in both cases the insert comes first.
    await ring.pool.query(`update ${ring.schema.destination} set low = 14`)
    await open.commit()
    await cleaning
    const left = await ring.pool.query(
      `select resource_id from ${ring.schema.event} where id = 15 and resource_id = 'open'`,
    )
    assert.equal(left.rows.length, 1)
  })
})

describe('deleting settled events', () => {
  it('leaves everything that a destination has not settled, and what is young', async (t) => {
    const ring = await testRing(t)
    const one = await addDestination(ring, 'one')
    const two = await addDestination(ring, 'two', 'http://example.org/other')
    const quicker = await addDestination(ring, 'quicker', two.topicUrl)
    const gone = await addDestination(ring, 'gone', 'http://example.org/gone')
    await fill(ring, one.topicId, 3)
    await fill(ring, two.topicId, 2)
    await fill(ring, gone.topicId, 4)
    await parkUndecidedEvents(
      ring.db,
      ring.schema,
      [one, gone].map(({ topicId }) => ({ ...newEvent(topicId, 'p'), error: 'not a boolean' })),
    )
    await settleAll(ring, one.destinationId)
    await settleAll(ring, quicker.destinationId)
    await removeDestination(ring.db, ring.schema, gone.reference)
    await deleteSettledEvents(ring.db, ring.schema)
    assert.deepEqual(await slots(ring), [9, 0, 0, 0])
    await deleteSettledEvents(ring.db, ring.schema, 0)
    const { rows } = await ring.pool.query(`select topic_id from ${ring.schema.event}`)
    assert.deepEqual(rows, [{ topic_id: two.topicId }, { topic_id: two.topicId }])
    const undecided = await ring.pool.query(`select topic_id from ${ring.schema.undecidedEvent}`)
    assert.deepEqual(undecided.rows, [{ topic_id: one.topicId }])
    assert.equal((await drain(await takeOver(ring, two.destinationId))).length, 2)
  })
})
