import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { ReplayWork } from '../../../src/delivery/jobs/replay-work.ts'
import type { FhirResource } from '../../../src/host/types.ts'
import { silentLogger } from '../../../src/observability/logger.ts'
import { cleanOutbox, deleteSettledRows } from '../../../src/outbox/cleanup.ts'
import {
  deliveredExtent,
  forgetDelivered,
  readDelivered,
  type DeliveredRetention,
} from '../../../src/outbox/delivered-pages.ts'
import { enqueueEvents } from '../../../src/outbox/enqueue.ts'
import { EventCursor } from '../../../src/outbox/event-cursor.ts'
import { createJob } from '../../../src/outbox/jobs.ts'
import { NodeLease } from '../../../src/outbox/node-lease.ts'
import { forgetAbsentNodes, registerNode } from '../../../src/outbox/node-presence.ts'
import { NodeSession } from '../../../src/outbox/node-session.ts'
import { outboxSchema } from '../../../src/outbox/schema.ts'
import type { TopicDestination } from '../../../src/resources/topic-destination.ts'
import {
  addDestination,
  cursorRow,
  drain,
  eventually,
  newEvents,
  testOutbox,
  type Outbox,
} from './outbox-fixture.ts'

const rangeOf = (topicId: number, fromEvent = 1, toEvent: number = Number.MAX_SAFE_INTEGER) => ({
  topicIds: [topicId],
  fromEvent,
  toEvent,
})
const destination = { content: 'full-resource' } as TopicDestination
const limits = { maxEvents: 100, maxBytes: 1e6 }

interface Delivered extends Outbox {
  readonly destinationId: number
  readonly topicId: number
}

/** Forty delivered events, in a ring of four slots of ten, with the cursor at rest. */
async function delivered(t: TestContext, retention?: DeliveredRetention): Promise<Delivered> {
  const outbox = await testOutbox(t, outboxSchema('ring', { slotEvents: 10 }))
  const { destinationId, topicId } = await addDestination(outbox, 'd')
  const { db, schema } = outbox
  await enqueueEvents(db, schema, newEvents(topicId, 40, '{"resourceType":"Patient"}'))
  const cursor = await EventCursor.load(db, schema, destinationId, 0, retention)
  await drain(cursor, 7)
  // Transactions of all databases are waited for, those of other tests too; a look takes a new snapshot.
  await eventually(async () => {
    await cursor.rest()
    await drain(cursor, 7)
    const { low, pos } = await cursorRow(outbox, destinationId)
    return low === pos
  }, 120_000)
  return { ...outbox, destinationId, topicId }
}

async function logged({ pool, schema }: Outbox): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    `select count(*)::int as count from ${schema.event}`,
  )
  return rows[0]?.count ?? 0
}

describe('what was delivered', () => {
  it('is recorded page by page, with the number of each event', async (t) => {
    const { db, schema, destinationId, topicId } = await delivered(t, 'events')
    const found = await readDelivered(db, schema, destinationId, rangeOf(topicId), 1000)
    assert.deepEqual(
      found.map(({ eventNumber, resourceId }) => `${eventNumber} ${resourceId}`),
      Array.from({ length: 40 }, (_, index) => `${index + 1} p${index + 1}`),
    )
    const range = rangeOf(topicId, 6, 17)
    assert.deepEqual(await deliveredExtent(db, schema, destinationId, range), {
      count: 12,
      firstEvent: 6,
      lastEvent: 17,
    })
    const some = await readDelivered(db, schema, destinationId, range, 1000)
    assert.deepEqual([some[0]?.eventNumber, some.length], [6, 12])
  })

  it('is counted and read in stretches, with the same result whatever their size', async (t) => {
    const { db, schema, destinationId, topicId } = await delivered(t, 'events')
    // Pages of 7 events; what is between two pages was not recorded.
    await db.query(`delete from ${schema.deliveredPage} where first_event_no = 8`)
    const asked: unknown[][] = []
    const counting = {
      query: <Row>(text: string, values: readonly unknown[] = []) => {
        asked.push([...values])
        return db.query<Row>(text, values)
      },
    }
    for (const range of [rangeOf(topicId), rangeOf(topicId, 6, 31), rangeOf(topicId, 8, 20)]) {
      const whole = await deliveredExtent(db, schema, destinationId, range)
      const events = await readDelivered(db, schema, destinationId, range, 1000)
      assert.deepEqual(whole, {
        count: events.length,
        firstEvent: events[0]?.eventNumber,
        lastEvent: events.at(-1)?.eventNumber,
      })
      for (const stretch of [1, 7, 20]) {
        const inStretches = deliveredExtent(counting, schema, destinationId, range, stretch)
        assert.deepEqual(await inStretches, whole)
        const found: number[] = []
        for (let after = range.fromEvent - 1; ;) {
          const next = { ...range, fromEvent: after + 1 }
          const part = await readDelivered(db, schema, destinationId, next, stretch)
          const numbers = part.slice(0, stretch).map(({ eventNumber }) => eventNumber)
          found.push(...numbers)
          if (numbers.length === 0) break
          after = numbers.at(-1) ?? after
        }
        assert.deepEqual(
          found,
          events.map(({ eventNumber }) => eventNumber),
        )
      }
    }
    // The end; then page by page, and two of them at once.
    asked.length = 0
    await deliveredExtent(counting, schema, destinationId, rangeOf(topicId), 1)
    assert.deepEqual(
      asked.map(([, after]) => after),
      [undefined, 0, 7, 21, 28, 35],
    )
    asked.length = 0
    await deliveredExtent(counting, schema, destinationId, rangeOf(topicId), 14)
    assert.deepEqual(
      asked.map(([, after]) => after),
      [undefined, 0, 21, 35],
    )
  })

  it('is not recorded where that is not wanted, and its events go', async (t) => {
    const outbox = await delivered(t)
    const { db, schema, destinationId, topicId } = outbox
    assert.equal(await deliveredExtent(db, schema, destinationId, rangeOf(topicId)), undefined)
    await deleteSettledRows(db, schema, 0)
    assert.equal(await logged(outbox), 0)
  })

  it('stays in the log as long as it is kept, then goes', async (t) => {
    const outbox = await delivered(t, 'events')
    const { db, schema, pool, destinationId, topicId } = outbox
    await cleanOutbox(db, schema)
    await deleteSettledRows(db, schema, 0)
    await forgetDelivered(db, schema, 60_000)
    assert.equal(await logged(outbox), 40)
    // The two oldest pages are an hour old.
    await pool.query(
      `update ${schema.deliveredPage} set delivered_at = now() - interval '1 hour' where last_event_no <= 14`,
    )
    await forgetDelivered(db, schema, 60_000)
    await cleanOutbox(db, schema)
    await deleteSettledRows(db, schema, 0)
    assert.equal(await logged(outbox), 26)
    const extent = await deliveredExtent(db, schema, destinationId, rangeOf(topicId))
    assert.deepEqual(extent, { count: 26, firstEvent: 15, lastEvent: 40 })
  })

  for (const kind of ['session', 'lease'] as const) {
    it(`stays as long as some node wants it kept, whatever the others want (${kind})`, async (t) => {
      const { db, schema, connectionString, destinationId, topicId } = await delivered(t, 'events')
      const options = { deliveredRetentionMs: 3_600_000 }
      const presence =
        kind === 'lease'
          ? new NodeLease(db, schema, silentLogger, options)
          : new NodeSession({ connectionString }, schema, silentLogger, options)
      t.after(() => presence.stop())
      await presence.start()
      await registerNode(db, schema, {})
      const kept = async (): Promise<number> => {
        await forgetDelivered(db, schema, 0)
        return (await deliveredExtent(db, schema, destinationId, rangeOf(topicId)))?.count ?? 0
      }
      assert.equal(await kept(), 40)
      await presence.stop()
      await db.query(`update ${schema.node} set started_at = started_at - interval '1 hour'`)
      await eventually(async () => {
        await forgetAbsentNodes(db, schema)
        return (await db.query(`select from ${schema.node}`)).rows.length === 0
      })
      assert.equal(await kept(), 0)
    })
  }

  it('that is forgotten while it is replayed counts as failed', async (t) => {
    const { db, schema, destinationId } = await delivered(t, 'references')
    const job = await createJob(db, schema, {
      destinationId,
      kind: 'replay',
      selection: { fromEvent: 1, toEvent: 40 },
      maxPerSecond: 1000,
      position: '0',
      total: 40,
    })
    assert.ok(job)
    await forgetDelivered(db, schema, 0)
    const work = new ReplayWork({ db, schema, readVersions: undefined })
    const half = { ...job, position: '20', sent: 19, failed: 1 }
    const batch = await (await work.prepare(half, destination, limits)).take()
    assert.deepEqual(batch, {
      events: [],
      position: '20',
      passedOver: 0,
      failed: 20,
      error: 'The record of delivered events has gone meanwhile.',
      isLast: true,
    })
  })

  it('of which references are kept holds no event in the log, and gets its content from the history', async (t) => {
    const outbox = await delivered(t, 'references')
    const { db, schema, destinationId } = outbox
    await deleteSettledRows(db, schema, 0)
    assert.equal(await logged(outbox), 0)
    const job = await createJob(db, schema, {
      destinationId,
      kind: 'replay',
      selection: { fromEvent: 1, toEvent: 3 },
      maxPerSecond: 1000,
      position: '0',
      total: 3,
    })
    assert.ok(job)
    const version = (id: string): FhirResource => ({ resourceType: 'Patient', id, active: true })
    const history = new Map([
      ['Patient/p1/_history/1', version('p1')],
      ['Patient/p3/_history/1', version('p3')],
    ])
    const work = new ReplayWork({ db, schema, readVersions: () => Promise.resolve(history) })
    const batch = await (await work.prepare(job, destination, limits)).take()
    assert.ok(batch)
    assert.deepEqual(
      batch.events.map(({ eventNumber, body }) => [eventNumber, body]),
      [
        [1, JSON.stringify(version('p1'))],
        [3, JSON.stringify(version('p3'))],
      ],
    )
    assert.deepEqual([batch.failed, batch.position], [1, '3'])
    // Without content there is nothing to read.
    const idOnly = { content: 'id-only' } as TopicDestination
    const without = new ReplayWork({ db, schema, readVersions: undefined })
    const second = await (await without.prepare(job, idOnly, limits)).take()
    assert.ok(second)
    assert.deepEqual([second.events.length, second.failed], [3, 0])
  })

  it('is sent in batches that fit, an event that does not fit alone', async (t) => {
    const { db, schema, destinationId } = await delivered(t, 'events')
    const job = await createJob(db, schema, {
      destinationId,
      kind: 'replay',
      selection: {},
      maxPerSecond: 1000,
      position: '0',
      total: 40,
    })
    assert.ok(job)
    const work = new ReplayWork({ db, schema, readVersions: undefined })
    for (const [maxBytes, count] of [
      [60, 2],
      [1, 1],
    ] as const) {
      const batch = await (await work.prepare(job, destination, { ...limits, maxBytes })).take()
      assert.ok(batch)
      assert.equal(batch.events.length, count)
      assert.equal(batch.position, String(count))
    }
  })
})
