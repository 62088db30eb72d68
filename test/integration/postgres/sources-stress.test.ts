import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fromPg } from '../../../src/host/sql-tx.ts'
import { countBacklogs } from '../../../src/outbox/backlog-count.ts'
import { cleanOutbox } from '../../../src/outbox/cleanup.ts'
import { readDeliveryStatus } from '../../../src/outbox/counters.ts'
import { listDestinationRows, putDestination } from '../../../src/outbox/destinations.ts'
import { enqueueEvents } from '../../../src/outbox/enqueue.ts'
import { SourcesChanged, type EventCursor } from '../../../src/outbox/event-cursor.ts'
import { outboxSchema } from '../../../src/outbox/schema.ts'
import { closeMoves, dropDrainedSources, forgetMoves } from '../../../src/outbox/sources.ts'
import { seededRandom } from '../../helpers/seeded-random.ts'
import {
  addDestination,
  newEvent,
  openTransaction,
  takeOver,
  testOutbox,
  type Outbox,
} from './outbox-fixture.ts'

const transactions = Number(process.env['OUTBOX_STRESS_TRANSACTIONS'] ?? 3000)
const seed = Number(process.env['OUTBOX_STRESS_SEED'] ?? randomInt(2 ** 31))
const writerCount = 8
const topicUrls = ['http://example.org/a', 'http://example.org/b', 'http://example.org/c'] as const

/** What a node knows: the topic of the destination, and the moves to be named in events of a topic. */
interface View {
  readonly topicId: number
  readonly moves: ReadonlyMap<number, readonly number[]>
}

/** Writers with views of any age; a move is closed when all have read theirs anew. */
class Views {
  readonly #outbox: Outbox
  readonly #views: (View | undefined)[] = []
  readonly #readAt: number[] = []
  #clock = 0

  constructor(outbox: Outbox) {
    this.#outbox = outbox
  }

  async refresh(writer: number): Promise<void> {
    const at = ++this.#clock
    const rows = await listDestinationRows(this.#outbox.db, this.#outbox.schema)
    const mover = rows.find(({ reference }) => reference === 'AidboxTopicDestination/mover')
    this.#views[writer] = {
      topicId: mover?.topicId ?? 0,
      moves: new Map(rows.map(({ topicId, moves }) => [topicId, moves])),
    }
    this.#readAt[writer] = at
  }

  of(writer: number): View {
    const view = this.#views[writer]
    assert.ok(view)
    return view
  }

  end(writer: number): void {
    this.#readAt[writer] = Number.POSITIVE_INFINITY
  }

  async areNewerThanNow(): Promise<void> {
    const now = ++this.#clock
    while (this.#readAt.some((at) => at < now)) await delay(1)
  }
}

/** Every write is an event of every topic, since all have other readers; it is the destination's once. Some transactions are long, some
 *  rolled back; all have their number before they match. `written` keeps what was committed. */
async function writeEvents(
  outbox: Outbox,
  topicIds: readonly number[],
  views: Views,
  writer: number,
): Promise<void> {
  const random = seededRandom(seed + writer)
  const client = await outbox.pool.connect()
  for (let left = Math.ceil(transactions / writerCount); left > 0; left--) {
    if (random() < 0.4) await views.refresh(writer)
    const id = `w${writer}-${left}`
    await client.query('begin')
    await client.query('insert into written values ($1)', [id])
    if (random() < 0.05) await delay(random() * 40)
    const { moves } = views.of(writer)
    const events = topicIds.map((topicId) => ({
      ...newEvent(topicId, topicId === views.of(writer).topicId ? id : `${id} of others`),
      knownMoves: moves.get(topicId) ?? [],
    }))
    await enqueueEvents(fromPg(client), outbox.schema, events)
    if (random() < 0.05) await delay(random() * 40)
    await client.query(random() < 0.1 ? 'rollback' : 'commit')
  }
  views.end(writer)
  client.release()
}

/** One leader after the other, with pages of any size and acknowledgements of any part of them. */
async function readEvents(
  outbox: Outbox,
  destinationId: number,
  stop: AbortSignal,
): Promise<Map<string, number>> {
  const random = seededRandom(seed - 1)
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

test(`a destination that goes from topic to topic gets every write once (seed ${seed})`, async (t) => {
  const outbox = await testOutbox(t, outboxSchema('stress', { slotEvents: 500 }))
  const { pool, db, schema } = outbox
  await pool.query('create table written (resource_id text)')
  const topicIds: number[] = []
  for (const [index, url] of topicUrls.entries()) {
    topicIds.push((await addDestination(outbox, `other-${index}`, url)).topicId)
  }
  const { destinationId } = await addDestination(outbox, 'mover', topicUrls[0])
  const ended = new AbortController()
  const random = seededRandom(seed)
  const views = new Views(outbox)
  for (let writer = 0; writer < writerCount; writer++) await views.refresh(writer)
  const move = async (): Promise<number> => {
    let moves = 0
    while (!ended.signal.aborted) {
      const topicUrl = topicUrls[Math.floor(random() * 3)] ?? topicUrls[0]
      const reference = 'AidboxTopicDestination/mover'
      const kind = 'kafka-at-least-once'
      const open = await openTransaction(pool)
      const moved = await putDestination(open.tx, schema, { reference, kind, topicUrl })
      await open.commit()
      if (moved !== undefined) moves++
      if (random() < 0.7) await views.areNewerThanNow()
      // Not waited for: a node that failed to close it. Later ones are closed before it.
      else if (moved !== undefined) continue
      if (moved !== undefined) await closeMoves(db, schema, [moved])
      await forgetMoves(db, schema)
      await dropDrainedSources(db, schema)
      await countBacklogs(db, schema, { minEvents: 20 })
      await cleanOutbox(db, schema)
      await delay(random() * 60)
    }
    return moves
  }
  const reading = readEvents(outbox, destinationId, ended.signal)
  const moving = move()
  await Promise.all(
    Array.from({ length: writerCount }, async (_, writer) =>
      writeEvents(outbox, topicIds, views, writer),
    ),
  )
  ended.abort()
  const moves = await moving
  const numbers = await reading
  const { rows } = await pool.query<{ resource_id: string }>('select resource_id from written')
  t.diagnostic(`${rows.length} writes, ${moves} moves`)
  assert.deepEqual([...numbers.keys()].toSorted(), rows.map((row) => row.resource_id).toSorted())
  assert.deepEqual(
    [...numbers.values()].toSorted((a, b) => a - b),
    Array.from(numbers, (_, index) => index + 1),
  )
  assert.equal((await readDeliveryStatus(db, schema, 'AidboxTopicDestination/mover'))?.queued, 0)
})
