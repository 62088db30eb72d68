import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { flushBestEffortCounters, readDeliveryStatus } from '../../../src/outbox/counters.ts'
import { readDeliveryCounts, type DeliveryCounts } from '../../../src/outbox/delivery-counts.ts'
import { parkUndecidedEvents } from '../../../src/outbox/enqueue.ts'
import {
  addDestination,
  drain,
  newEvent,
  takeOver,
  testOutbox,
  write,
  type Outbox,
} from './outbox-fixture.ts'

/** Of each destination the same as $status; the age apart. */
async function assertAgreed({ db, schema }: Outbox, ...ids: string[]): Promise<void> {
  const counts = await readDeliveryCounts(db, schema)
  assert.equal(counts.length, ids.length)
  for (const [index, id] of ids.entries()) {
    const status = await readDeliveryStatus(db, schema, `AidboxTopicDestination/${id}`)
    const { destinationId: _id, oldestEventAge: _age, ...told } = counts[index] as DeliveryCounts
    assert.ok(status)
    const same = Object.fromEntries(
      Object.keys(told).map((name) => [name, status[name as keyof typeof status]]),
    )
    assert.deepEqual(told, same, id)
  }
}

describe('the counts of all destinations', () => {
  it('are those of $status at each step', async (t) => {
    const outbox = await testOutbox(t)
    const { db, schema } = outbox
    const { destinationId, topicId } = await addDestination(outbox, 'a')
    const best = await addDestination(outbox, 'b', undefined, 'kafka-best-effort')
    await assertAgreed(outbox, 'a', 'b')
    await write(outbox, topicId, '1', '2', '3', '4', '5')
    await parkUndecidedEvents(db, schema, [{ ...newEvent(topicId, 'p'), error: 'not a boolean' }])
    await flushBestEffortCounters(db, schema, 'node', [
      { destinationId: best.destinationId, delivered: 3, lost: 2, undecided: 1, inProcess: 1 },
    ])
    await assertAgreed(outbox, 'a', 'b')
    const cursor = await takeOver(outbox, destinationId)
    const page = await cursor.nextPage(4, 1e9)
    assert.ok(page)
    await cursor.recordFailure(2, 'down')
    await assertAgreed(outbox, 'a', 'b')
    await cursor.acknowledge(page, 3)
    const rest = await cursor.nextPage(4, 1e9)
    assert.ok(rest)
    await cursor.deadLetter(rest, 0, 'too large')
    await assertAgreed(outbox, 'a', 'b')
  })

  it('have the age of the first event that is not settled, and 0 once all are', async (t) => {
    const outbox = await testOutbox(t)
    const { db, schema, pool } = outbox
    const { destinationId, topicId } = await addDestination(outbox, 'a')
    const age = async (): Promise<number> =>
      (await readDeliveryCounts(db, schema))[0]?.oldestEventAge ?? Number.NaN
    assert.equal(await age(), 0)
    await write(outbox, topicId, '1')
    await write(outbox, topicId, '2')
    await pool.query(
      `update ${schema.event} set at = now() - interval '1 hour' * (3 - resource_id::int)`,
    )
    const isAbout = (hours: number, seconds: number) =>
      seconds >= hours * 3600 && seconds < hours * 3600 + 600
    assert.ok(isAbout(2, await age()))
    const cursor = await takeOver(outbox, destinationId)
    const page = await cursor.nextPage(1, 1e9)
    assert.ok(page)
    assert.ok(isAbout(2, await age()), 'it is under way, not delivered')
    await cursor.acknowledge(page)
    assert.ok(isAbout(1, await age()))
    await drain(cursor)
    assert.equal(await age(), 0)
  })

  it('are of every destination, however many there are', async (t) => {
    const outbox = await testOutbox(t)
    const { db, schema, pool } = outbox
    const { topicId } = await addDestination(outbox, 'a')
    await pool.query(
      `insert into ${schema.destination} (reference, kind, topic_id, low, pos, snap)
       select 'AidboxTopicDestination/d' || n, 'kafka-at-least-once', $1, 0, 0, pg_current_snapshot() from generate_series(1, 1200) n`,
      [topicId],
    )
    await pool.query(
      `insert into ${schema.source} (destination_id, topic_id)
       select id, topic_id from ${schema.destination} where reference <> 'AidboxTopicDestination/a'`,
    )
    await write(outbox, topicId, '1', '2')
    const counts = await readDeliveryCounts(db, schema)
    assert.equal(counts.length, 1201)
    assert.equal(new Set(counts.map(({ destinationId }) => destinationId)).size, 1201)
    assert.ok(counts.every(({ queued }) => queued === 2))
  })
})
