import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { SqlTx } from '../../../src/host/types.ts'
import { enqueueEvents, parkUndecidedEvents, type NewEvent } from '../../../src/outbox/enqueue.ts'
import {
  addDestination,
  drain,
  newEvents,
  openTransaction,
  takeOver,
  testOutbox,
} from './outbox-fixture.ts'

function counting(db: SqlTx): { tx: SqlTx; statements: string[] } {
  const statements: string[] = []
  const tx: SqlTx = {
    query: (text, values) => {
      statements.push(text)
      return db.query(text, values)
    },
  }
  return { tx, statements }
}

it('enqueueEvents writes up to 500 events in one statement, in the given order', async (t) => {
  const outbox = await testOutbox(t)
  const { topicId, destinationId } = await addDestination(outbox, 'a')
  const { tx, statements } = counting(outbox.db)
  const events = newEvents(topicId, 1201)
  await enqueueEvents(tx, outbox.schema, events)
  assert.equal(statements.length, 3)
  await enqueueEvents(tx, outbox.schema, [])
  assert.equal(statements.length, 3)
  const cursor = await takeOver(outbox, destinationId)
  assert.deepEqual(
    await drain(cursor),
    events.map(({ resourceId }) => resourceId),
  )
})

it('every column of an event comes back as it was written', async (t) => {
  const outbox = await testOutbox(t)
  const { topicId, destinationId } = await addDestination(outbox, 'a')
  const plain = { topicId, resourceType: 'Observation', resourceId: 'o' } as const
  const body = JSON.stringify({ text: 'ü\u0001 \\ "x" 🚑', big: 'x'.repeat(20_000) })
  const events: NewEvent[] = [
    {
      ...plain,
      interaction: 'create',
      versionId: '1',
      correlationId: 'c',
      traceparent: '00-a',
      body,
    },
    { ...plain, interaction: 'update', body: '{}' },
    { ...plain, interaction: 'delete', versionId: '3', body: null },
  ]
  await enqueueEvents(outbox.db, outbox.schema, events)
  const page = await (await takeOver(outbox, destinationId)).nextPage(10, 1e9)
  assert.deepEqual(
    page?.events.map(({ id: _id, at: _at, topicUrl: _topicUrl, ...event }) => event),
    events,
  )
  assert.ok(page.events.every(({ at }) => at instanceof Date))
})

it('the time of an event is that of its transaction, unless the host gives another', async (t) => {
  const outbox = await testOutbox(t)
  const { topicId, destinationId } = await addDestination(outbox, 'a')
  const [mine, other] = newEvents(topicId, 2)
  assert.ok(mine && other)
  const at = new Date('2020-02-29T23:59:59.987Z')
  const open = await openTransaction(outbox.pool)
  const now = await open.tx.query<{ now: Date }>('select now()')
  await enqueueEvents(open.tx, outbox.schema, [mine, { ...other, at }])
  await open.commit()
  const page = await (await takeOver(outbox, destinationId)).nextPage(10, 1e9)
  assert.deepEqual(
    page?.events.map((event) => event.at),
    [now.rows[0]?.now, at],
  )
})

it('a rolled-back event is never delivered, nor one of a rolled-back savepoint', async (t) => {
  const outbox = await testOutbox(t)
  const { topicId, destinationId } = await addDestination(outbox, 'a')
  const events = newEvents(topicId, 3)
  const gone = await openTransaction(outbox.pool)
  await enqueueEvents(gone.tx, outbox.schema, events.slice(0, 1))
  await gone.rollback()
  const kept = await openTransaction(outbox.pool)
  await kept.tx.query('savepoint s')
  await enqueueEvents(kept.tx, outbox.schema, events.slice(1, 2))
  await kept.tx.query('rollback to s')
  await kept.tx.query('savepoint s')
  await enqueueEvents(kept.tx, outbox.schema, events.slice(2))
  await kept.commit()
  assert.deepEqual(await drain(await takeOver(outbox, destinationId)), ['p3'])
})

it('undecided events are set aside with their reason, up to 500 in one statement', async (t) => {
  const outbox = await testOutbox(t)
  const { topicId, destinationId } = await addDestination(outbox, 'a')
  const { tx, statements } = counting(outbox.db)
  const events = newEvents(topicId, 501).map((event) => ({ ...event, error: 'not a boolean' }))
  await parkUndecidedEvents(tx, outbox.schema, events)
  assert.equal(statements.length, 2)
  const { rows } = await outbox.pool.query(
    `select count(*)::int, min(error) as error, max(resource_id) as last from ${outbox.schema.undecidedEvent}`,
  )
  assert.deepEqual(rows, [{ count: 501, error: 'not a boolean', last: 'p99' }])
  assert.deepEqual(await drain(await takeOver(outbox, destinationId)), [])
})
