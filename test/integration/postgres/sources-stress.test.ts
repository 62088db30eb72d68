import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fromPg } from '../../../src/host/sql-tx.ts'
import { countBacklogs } from '../../../src/outbox/backlog-count.ts'
import { cleanOutbox } from '../../../src/outbox/cleanup.ts'
import { readDeliveryStatus } from '../../../src/outbox/counters.ts'
import { enqueueEvents } from '../../../src/outbox/enqueue.ts'
import { SourcesChanged, type EventCursor } from '../../../src/outbox/event-cursor.ts'
import { outboxSchema } from '../../../src/outbox/schema.ts'
import { closeLeftSources, dropDrainedSources, isInStretch } from '../../../src/outbox/sources.ts'
import { addDestination, newEvent, takeOver, testOutbox, type Outbox } from './outbox-fixture.ts'

const transactions = Number(process.env['OUTBOX_STRESS_TRANSACTIONS'] ?? 3000)
const seed = Number(process.env['OUTBOX_STRESS_SEED'] ?? randomInt(2 ** 31))
const writerCount = 8
const topicUrls = ['http://example.org/a', 'http://example.org/b', 'http://example.org/c'] as const

/** mulberry32 */
function generator(start: number): () => number {
  let state = start
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Events of all topics, in transactions that overlap; some long, some rolled back. `written` keeps what was committed, with its number. */
async function writeEvents(
  outbox: Outbox,
  topicIds: readonly number[],
  writer: number,
): Promise<void> {
  const random = generator(seed + writer)
  const client = await outbox.pool.connect()
  for (let left = Math.ceil(transactions / writerCount); left > 0; left--) {
    await client.query('begin')
    for (let count = 1 + Math.floor(random() * 3); count > 0; count--) {
      const id = `w${writer}-${left}-${count}`
      const topicId = topicIds[Math.floor(random() * topicIds.length)] ?? 0
      await client.query('insert into written (topic_id, resource_id) values ($1, $2)', [
        topicId,
        id,
      ])
      await enqueueEvents(fromPg(client), outbox.schema, [newEvent(topicId, id)])
      if (random() < 0.05) await delay(random() * 40)
    }
    await client.query(random() < 0.1 ? 'rollback' : 'commit')
  }
  client.release()
}

/** One leader after the other, with pages of any size and acknowledgements of any part of them. */
async function readEvents(
  outbox: Outbox,
  destinationId: number,
  stop: AbortSignal,
): Promise<Map<string, number>> {
  const random = generator(seed - 1)
  const numbers = new Map<string, number>()
  let cursor: EventCursor | undefined
  for (;;) {
    try {
      if (random() < 0.02) cursor = undefined
      cursor ??= await takeOver(outbox, destinationId)
      const isLast = stop.aborted
      const page = await cursor.nextPage(1 + Math.floor(random() * 40), 1e6)
      if (!page) {
        if (isLast) return numbers
        await cursor.rest()
        await delay(2)
        continue
      }
      const count = random() < 0.3 ? Math.ceil(random() * page.events.length) : page.events.length
      if (random() < 0.5) await cursor.readAhead(page, 20, 1e6)
      await cursor.acknowledge(page, count)
      for (const [index, { resourceId }] of page.events.slice(0, count).entries()) {
        assert.ok(!numbers.has(resourceId), `${resourceId} comes twice`)
        numbers.set(resourceId, page.firstEventNumber + index)
      }
    } catch (error) {
      if (!(error instanceof SourcesChanged)) throw error
      cursor = undefined
    }
  }
}

test(`a destination that goes from topic to topic gets each of its events once (seed ${seed})`, async (t) => {
  const outbox = await testOutbox(t, outboxSchema('stress', { slotEvents: 500 }))
  const { pool, db, schema } = outbox
  await pool.query(
    `create table written (xid xid8 default pg_current_xact_id(), topic_id int, resource_id text);
     create table stretch (like ${schema.source})`,
  )
  const others = []
  for (const [index, url] of topicUrls.entries()) {
    others.push(await addDestination(outbox, `other-${index}`, url))
  }
  const { destinationId } = await addDestination(outbox, 'mover', topicUrls[0])
  const ended = new AbortController()
  const random = generator(seed)
  /** What the destination was to get, as its sources say: kept when they are dropped. */
  const remember = async (): Promise<void> => {
    await pool.query(
      `delete from stretch where id in (select id from ${schema.source});
       insert into stretch select * from ${schema.source} where destination_id = ${destinationId}`,
    )
  }
  const move = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      await addDestination(outbox, 'mover', topicUrls[Math.floor(random() * 3)])
      await delay(random() * 60)
      if (random() < 0.7) await closeLeftSources(db, schema, 0)
      await remember()
      await dropDrainedSources(db, schema)
      await countBacklogs(db, schema, 20)
      await cleanOutbox(db, schema)
      await delay(random() * 60)
    }
    await remember()
  }
  const reading = readEvents(outbox, destinationId, ended.signal)
  const moving = move()
  const topicIds = others.map(({ topicId }) => topicId)
  await Promise.all(
    Array.from({ length: writerCount }, async (_, writer) => writeEvents(outbox, topicIds, writer)),
  )
  ended.abort()
  await moving
  const numbers = await reading
  const { rows } = await pool.query<{ resource_id: string }>(
    `select e.resource_id from written e where exists (
       select from stretch s where s.topic_id = e.topic_id and ${isInStretch})`,
  )
  assert.deepEqual([...numbers.keys()].toSorted(), rows.map((row) => row.resource_id).toSorted())
  assert.deepEqual(
    [...numbers.values()].toSorted((a, b) => a - b),
    Array.from(numbers, (_, index) => index + 1),
  )
  assert.equal((await readDeliveryStatus(db, schema, 'AidboxTopicDestination/mover'))?.queued, 0)
})
