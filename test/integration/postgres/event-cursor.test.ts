import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { fromPg } from '../../../src/host/sql-tx.ts'
import type { SqlTx } from '../../../src/host/types.ts'
import { cleanOutbox } from '../../../src/outbox/cleanup.ts'
import type { DestinationRow } from '../../../src/outbox/destination-row.ts'
import { putDestination } from '../../../src/outbox/destinations.ts'
import { enqueueEvents } from '../../../src/outbox/enqueue.ts'
import { EventCursor } from '../../../src/outbox/event-cursor.ts'
import { migrateOutbox } from '../../../src/outbox/migrations.ts'
import { outboxSchema } from '../../../src/outbox/schema.ts'
import { privatePostgres } from '../../helpers/postgres.ts'
import {
  addDestination,
  cursorRow,
  drain,
  idsOf,
  newEvent,
  openTransaction,
  settleAll,
  takeOver,
  testOutbox,
  write,
  type Outbox,
} from './outbox-fixture.ts'

const fenced = { code: 'KTD_FENCED' }

interface Queue extends Outbox {
  readonly destination: DestinationRow
  readonly destinationId: number
  readonly topicId: number
}

async function testQueue(t: TestContext, schema = outboxSchema()): Promise<Queue> {
  return queueOf(await testOutbox(t, schema))
}

/** On a server without others, whose transactions keep `low` down. */
async function lonelyQueue(t: TestContext, schema = outboxSchema()): Promise<Queue> {
  const { pool, connectionString } = await privatePostgres(t)
  await migrateOutbox(pool, schema)
  return queueOf({ pool, connectionString, db: fromPg(pool), schema })
}

async function queueOf(outbox: Outbox): Promise<Queue> {
  const destination = await addDestination(outbox, 'a')
  const { destinationId, topicId } = destination
  return { ...outbox, destination, destinationId, topicId }
}

/** Bulk load: `count` events in one statement. */
async function fill({ pool, schema, topicId }: Queue, count: number): Promise<void> {
  await pool.query(
    `insert into ${schema.event} (topic_id, interaction, resource_type, resource_id, version_id, body)
     select $1, 'u', 'Patient', 'p' || i, '1', '{}' from generate_series(1, $2) i`,
    [topicId, count],
  )
}

describe('late commits', () => {
  it('come although higher ids were acknowledged', async (t) => {
    const queue = await testQueue(t)
    const { topicId, schema } = queue
    const late = await openTransaction(queue.pool)
    await enqueueEvents(late.tx, schema, [newEvent(topicId, 'late')])
    await write(queue, topicId, 'early')
    const cursor = await takeOver(queue, queue.destinationId)
    assert.deepEqual(await drain(cursor), ['early'])
    await late.commit()
    assert.deepEqual(await drain(cursor), ['late'])
  })

  it('come although no snapshot ever listed their transaction, whatever was read and written down meanwhile', async (t) => {
    const queue = await testQueue(t)
    const { topicId, schema } = queue
    const cursor = await takeOver(queue, queue.destinationId)
    const older = await openTransaction(queue.pool)
    await older.tx.query('select pg_current_xact_id()')
    // Its number is above every number that ended, so a snapshot's xmax does not pass it.
    const late = await openTransaction(queue.pool)
    await enqueueEvents(late.tx, schema, [newEvent(topicId, 'late')])
    await enqueueEvents(older.tx, schema, [newEvent(topicId, 'older')])
    await older.commit()
    assert.deepEqual(await drain(cursor), ['older'])
    for (let round = 0; round < 70; round++) {
      await write(queue, topicId, `r${round}`)
      assert.deepEqual(await drain(cursor), [`r${round}`])
      await cursor.rest()
    }
    await late.commit()
    assert.deepEqual(await drain(cursor), ['late'])
  })

  it('are not passed by a page that was cut among them', async (t) => {
    const queue = await testQueue(t)
    const { topicId, schema } = queue
    const late = await openTransaction(queue.pool)
    await enqueueEvents(
      late.tx,
      schema,
      ['late1', 'late2', 'late3'].map((id) => newEvent(topicId, id)),
    )
    await write(queue, topicId, 'early')
    const cursor = await takeOver(queue, queue.destinationId)
    assert.deepEqual(await drain(cursor), ['early'])
    await late.commit()
    assert.deepEqual(idsOf(await cursor.nextPage(1, 1e9)), ['late1'])
    const page = await cursor.nextPage(1, 1e9)
    assert.ok(page)
    await cursor.acknowledge(page)
    await write(queue, topicId, 'next')
    assert.deepEqual(await drain(cursor, 1), ['late2', 'late3', 'next'])
    assert.deepEqual(await drain(await takeOver(queue, queue.destinationId)), [])
  })
})

describe('a new leader', () => {
  it('sends what the old one has not acknowledged under the same numbers, with smaller pages and after late commits', async (t) => {
    const queue = await testQueue(t)
    const { topicId, schema, destinationId } = queue
    await write(queue, topicId, 'first')
    const late = await openTransaction(queue.pool)
    await enqueueEvents(late.tx, schema, [newEvent(topicId, 'late')])
    await write(queue, topicId, 'second', 'third')
    const sent = await (await takeOver(queue, destinationId)).nextPage(10, 1e9)
    assert.equal(sent?.firstEventNumber, 1)
    assert.deepEqual(idsOf(sent), ['first', 'second', 'third'])
    await late.commit()
    const numbered: [number, string][] = []
    const cursor = await takeOver(queue, destinationId)
    for (let page; (page = await cursor.nextPage(1, 1e9));) {
      numbered.push([page.firstEventNumber, page.events[0]?.resourceId ?? ''])
      await cursor.acknowledge(page)
    }
    assert.deepEqual(numbered, [
      [1, 'first'],
      [2, 'second'],
      [3, 'third'],
      [4, 'late'],
    ])
  })

  it('goes on in the middle of a page that was partly acknowledged', async (t) => {
    const queue = await testQueue(t)
    await write(queue, queue.topicId, 'a', 'b', 'c')
    const before = await takeOver(queue, queue.destinationId)
    const page = await before.nextPage(10, 1e9)
    assert.ok(page)
    await before.acknowledge(page, 2)
    const rest = await (await takeOver(queue, queue.destinationId)).nextPage(10, 1e9)
    assert.deepEqual([rest?.firstEventNumber, idsOf(rest)], [3, ['c']])
  })

  it('fences the old one, in every call that writes', async (t) => {
    const queue = await testQueue(t)
    const { destinationId, topicId } = queue
    await write(queue, topicId, 'a', 'b')
    const reading = await takeOver(queue, destinationId)
    const sending = await takeOver(queue, destinationId)
    const page = await sending.nextPage(10, 1e9)
    assert.ok(page)
    const successor = await takeOver(queue, destinationId)
    await assert.rejects(reading.nextPage(10, 1e9), fenced)
    await assert.rejects(sending.acknowledge(page), fenced)
    await assert.rejects(sending.deadLetter(page, 0, 'too large'), fenced)
    await assert.rejects(sending.recordFailure(1, 'no broker'), fenced)
    await assert.rejects(EventCursor.load(queue.db, queue.schema, destinationId, 1), fenced)
    assert.deepEqual(await drain(successor), ['a', 'b'])
    const { rows } = await queue.pool.query(`select from ${queue.schema.deadLetter}`)
    assert.equal(rows.length, 0)
  })

  it('fences the old one at rest', async (t) => {
    const queue = await lonelyQueue(t)
    await write(queue, queue.topicId, 'settled')
    const resting = await takeOver(queue, queue.destinationId)
    await drain(resting)
    await takeOver(queue, queue.destinationId)
    await assert.rejects(resting.rest(), fenced)
  })

  it('is fenced itself by its own earlier reading of the row', async (t) => {
    const queue = await testQueue(t)
    await write(queue, queue.topicId, 'a')
    const first = await takeOver(queue, queue.destinationId)
    const { epoch } = await cursorRow(queue, queue.destinationId)
    const second = await EventCursor.load(queue.db, queue.schema, queue.destinationId, epoch)
    assert.equal(second.token, first.token)
    assert.deepEqual(await drain(first), ['a'])
    assert.notEqual(second.token, first.token)
    await assert.rejects(second.nextPage(10, 1e9), fenced)
  })
})

describe('pages', () => {
  it('stay the same until they are acknowledged, and come in smaller pieces when asked for', async (t) => {
    const queue = await testQueue(t)
    await write(queue, queue.topicId, 'a', 'b', 'c', 'd', 'e')
    const cursor = await takeOver(queue, queue.destinationId)
    const page = await cursor.nextPage(5, 1e9)
    assert.ok(page)
    assert.equal(await cursor.nextPage(5, 1e9), page)
    await cursor.acknowledge(page, 2)
    await assert.rejects(cursor.acknowledge(page, 4), RangeError)
    const piece = await cursor.nextPage(2, 1e9)
    assert.ok(piece)
    assert.deepEqual([piece.firstEventNumber, idsOf(piece), piece.more], [3, ['c', 'd'], true])
    await assert.rejects(cursor.acknowledge(page), RangeError)
    await cursor.acknowledge(piece)
    await assert.rejects(cursor.acknowledge(piece), RangeError)
    const last = await cursor.nextPage(2, 1e9)
    assert.deepEqual([last?.firstEventNumber, idsOf(last)], [5, ['e']])
  })

  it('end where the bodies exceed the limit; a larger event comes alone', async (t) => {
    const queue = await testQueue(t)
    const bodies = ['1234567890', '1234567890', '12345', 'ü'.repeat(30), '1', '']
    await enqueueEvents(
      queue.db,
      queue.schema,
      bodies.map((body, index) => newEvent(queue.topicId, String(index), 1, body)),
    )
    const cursor = await takeOver(queue, queue.destinationId)
    const pages: { ids: string[]; more: boolean }[] = []
    for (let page; (page = await cursor.nextPage(10, 25));) {
      pages.push({ ids: idsOf(page), more: page.more })
      assert.ok(page.events.every(({ id }) => id !== ''))
      assert.deepEqual(
        page.events.map(({ body }) => body),
        idsOf(page).map((id) => bodies[Number(id)]),
      )
      await cursor.acknowledge(page)
    }
    assert.deepEqual(pages, [
      { ids: ['0', '1', '2'], more: true },
      { ids: ['3'], more: true },
      { ids: ['4', '5'], more: false },
    ])
  })

  it('cannot be asked for without events', async (t) => {
    const queue = await testQueue(t)
    const cursor = await takeOver(queue, queue.destinationId)
    for (const maxEvents of [0, -1, Number.NaN]) {
      await assert.rejects(cursor.nextPage(maxEvents, 1e9), RangeError)
    }
  })

  it('are read along the index, never by sorting the backlog', async (t) => {
    const queue = await testQueue(t)
    await fill(queue, 20_000)
    const plans: string[] = []
    const db: SqlTx = {
      query: async (text, values) => {
        if (text.includes('window')) {
          const plan = await queue.db.query<{ 'QUERY PLAN': string }>(`explain ${text}`, values)
          plans.push(plan.rows.map((row) => row['QUERY PLAN']).join('\n'))
        }
        return queue.db.query(text, values)
      },
    }
    const { epoch } = await cursorRow(queue, queue.destinationId)
    const cursor = await EventCursor.load(db, queue.schema, queue.destinationId, epoch)
    for (const maxEvents of [1, 500, 15_000]) {
      const page = await cursor.nextPage(maxEvents, 1e9)
      assert.ok(page)
      await cursor.acknowledge(page)
    }
    assert.equal(plans.length, 3)
    for (const plan of plans) {
      assert.match(plan, /Merge Append[^]*Index Scan/)
      assert.doesNotMatch(plan, /Sort\b(?! Key)|Bitmap|Seq Scan on/)
    }
  })
})

describe('a page read ahead', () => {
  it('is handed out next, as the same object, before what commits late', async (t) => {
    const queue = await testQueue(t)
    const { topicId, schema } = queue
    const late = await openTransaction(queue.pool)
    await enqueueEvents(late.tx, schema, [newEvent(topicId, 'late')])
    await write(queue, topicId, 'a', 'b', 'c', 'd')
    const cursor = await takeOver(queue, queue.destinationId)
    const first = await cursor.nextPage(2, 1e9)
    assert.ok(first)
    const ahead = await cursor.readAhead(first, 2, 1e9)
    assert.deepEqual(
      [idsOf(first), idsOf(ahead)],
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    )
    assert.equal(ahead?.firstEventNumber, 3)
    await late.commit()
    await cursor.acknowledge(first)
    assert.equal(await cursor.nextPage(2, 1e9), ahead)
    await cursor.acknowledge(ahead)
    const last = await cursor.nextPage(2, 1e9)
    assert.deepEqual([idsOf(last), last?.firstEventNumber], [['late'], 5])
  })

  it('comes under the same numbers from a leader that took over before it was acknowledged', async (t) => {
    const queue = await testQueue(t)
    const { topicId, schema } = queue
    const late = await openTransaction(queue.pool)
    await enqueueEvents(late.tx, schema, [newEvent(topicId, 'late')])
    await write(queue, topicId, 'a', 'b', 'c', 'd')
    const cursor = await takeOver(queue, queue.destinationId)
    const first = await cursor.nextPage(2, 1e9)
    assert.ok(first)
    await cursor.readAhead(first, 2, 1e9)
    await cursor.acknowledge(first)
    await cursor.nextPage(2, 1e9)
    await late.commit()
    const page = await (await takeOver(queue, queue.destinationId)).nextPage(10, 1e9)
    assert.deepEqual([idsOf(page), page?.firstEventNumber], [['c', 'd'], 3])
  })

  it('comes in pieces when less is asked for, and after the rest of a page that was settled in part', async (t) => {
    const queue = await testQueue(t)
    await write(queue, queue.topicId, 'a', 'b', 'c', 'd', 'e', 'f')
    const cursor = await takeOver(queue, queue.destinationId)
    const first = await cursor.nextPage(3, 1e9)
    assert.ok(first)
    await cursor.readAhead(first, 3, 1e9)
    await cursor.acknowledge(first, 1)
    assert.deepEqual(await drain(cursor, 2), ['b', 'c', 'd', 'e', 'f'])
  })

  it('does not keep a long backlog in one round: slots are emptied while it is drained', async (t) => {
    const queue = await testQueue(t)
    await fill(queue, 100)
    const cursor = await takeOver(queue, queue.destinationId)
    const before = (await cursorRow(queue, queue.destinationId)).pos
    let isAhead = 0
    for (let pages = 0; pages < 10; pages++) {
      const page = await cursor.nextPage(5, 1e9)
      assert.ok(page)
      if (await cursor.readAhead(page, 5, 1e9)) isAhead++
      await cursor.acknowledge(page)
    }
    assert.ok((await cursorRow(queue, queue.destinationId)).pos > before)
    assert.ok(isAhead >= 8)
  })
})

describe('a dead letter', () => {
  it('keeps its number, its event and its place', async (t) => {
    const queue = await testQueue(t)
    const { pool, schema, topicId } = queue
    await write(queue, topicId, 'a', 'b', 'c')
    const cursor = await takeOver(queue, queue.destinationId)
    const page = await cursor.nextPage(10, 1e9)
    assert.ok(page)
    await assert.rejects(cursor.deadLetter(page, 1, 'too large'), RangeError)
    await cursor.acknowledge(page, 1)
    const poisoned = await cursor.nextPage(10, 1e9)
    assert.ok(poisoned)
    await cursor.deadLetter(poisoned, 0, 'too large')
    const last = await cursor.nextPage(10, 1e9)
    assert.deepEqual([last?.firstEventNumber, idsOf(last)], [3, ['c']])
    const again = await takeOver(queue, queue.destinationId)
    const { rows } = await pool.query(
      `select event_no, resource_id, body, error from ${schema.deadLetter}`,
    )
    assert.deepEqual(rows, [{ event_no: '2', resource_id: 'b', body: '{}', error: 'too large' }])
    assert.deepEqual(await drain(again), ['c'])
  })

  it('may be the last of its page', async (t) => {
    const queue = await testQueue(t)
    await write(queue, queue.topicId, 'a')
    const cursor = await takeOver(queue, queue.destinationId)
    const page = await cursor.nextPage(10, 1e9)
    assert.ok(page)
    await cursor.deadLetter(page, 0, 'too large')
    assert.equal(await cursor.nextPage(10, 1e9), undefined)
    await write(queue, queue.topicId, 'b')
    const next = await cursor.nextPage(10, 1e9)
    assert.deepEqual([next?.firstEventNumber, idsOf(next)], [2, ['b']])
  })
})

describe('a destination', () => {
  it('begins with what was not committed when it was created', async (t) => {
    const queue = await testQueue(t)
    const { topicId, schema } = queue
    await write(queue, topicId, 'before')
    const open = await openTransaction(queue.pool)
    await enqueueEvents(open.tx, schema, [newEvent(topicId, 'open')])
    const late = await addDestination(queue, 'b')
    await write(queue, topicId, 'after')
    await open.commit()
    const cursor = await takeOver(queue, late.destinationId)
    assert.deepEqual((await drain(cursor)).toSorted(), ['after', 'open'])
    assert.equal((await drain(await takeOver(queue, queue.destinationId))).length, 3)
  })

  it('is not touched by one that is the same', async (t) => {
    const queue = await testQueue(t)
    const before = await cursorRow(queue, queue.destinationId)
    await putDestination(queue.db, queue.schema, queue.destination)
    assert.deepEqual(await cursorRow(queue, queue.destinationId), before)
  })
})

describe('low', () => {
  it('reaches the position at rest, and then nothing is written any more', async (t) => {
    const queue = await testQueue(t)
    await write(queue, queue.topicId, 'a', 'b')
    const cursor = await settleAll(queue, queue.destinationId)
    const settled = await cursorRow(queue, queue.destinationId)
    assert.deepEqual([settled.low, settled.pos], [2, 2])
    for (let call = 0; call < 3; call++) {
      await cursor.rest()
      assert.equal(await cursor.nextPage(10, 1e9), undefined)
    }
    assert.deepEqual(await cursorRow(queue, queue.destinationId), settled)
  })

  it('reaches the position of a new destination before its first event', async (t) => {
    const queue = await testQueue(t)
    await write(queue, queue.topicId, 'a', 'b')
    const { destinationId } = await addDestination(queue, 'b')
    assert.equal((await cursorRow(queue, destinationId)).low, 0)
    await settleAll(queue, destinationId)
    assert.equal((await cursorRow(queue, destinationId)).low, 2)
  })

  it('does not pass a transaction that is still open', async (t) => {
    const queue = await testQueue(t)
    const open = await openTransaction(queue.pool)
    await write(queue, queue.topicId, 'a')
    await enqueueEvents(open.tx, queue.schema, [newEvent(queue.topicId, 'open')])
    const cursor = await takeOver(queue, queue.destinationId)
    for (let round = 0; round < 100; round++) {
      await write(queue, queue.topicId, `r${round}`)
      await drain(cursor)
      await cursor.rest()
    }
    assert.ok((await cursorRow(queue, queue.destinationId)).low < 2)
    await open.commit()
    assert.deepEqual(await drain(cursor), ['open'])
  })

  it('rises while a long backlog is drained, also by a leader that took over in its middle, so that slots are emptied', async (t) => {
    const queue = await lonelyQueue(t, outboxSchema('long', { slotEvents: 40_000 }))
    const { pool, schema, destinationId } = queue
    await fill(queue, 150_000)
    const settle = async (cursor: EventCursor, count: number): Promise<void> => {
      for (let settled = 0; settled < count; settled += 5000) {
        const page = await cursor.nextPage(5000, 1e9)
        assert.ok(page)
        await cursor.acknowledge(page)
      }
    }
    await settle(await takeOver(queue, destinationId), 10_000)
    await settle(await takeOver(queue, destinationId), 120_000)
    assert.ok((await cursorRow(queue, destinationId)).low >= 110_000)
    await cleanOutbox(queue.db, schema)
    const { rows } = await pool.query(
      `select min(id)::int as id, count(*)::int from ${schema.event}`,
    )
    // The one being written and the next are left alone.
    assert.deepEqual(rows, [{ id: 1, count: 39_999 + 30_001 }])
  })
})
