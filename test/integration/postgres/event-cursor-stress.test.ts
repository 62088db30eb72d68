import assert from 'node:assert/strict'
import { randomInt, randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Pool } from 'pg'
import { fromPg } from '../../../src/host/sql-tx.ts'
import { countBacklogs } from '../../../src/outbox/backlog-count.ts'
import { cleanOutbox, deleteSettledEvents } from '../../../src/outbox/cleanup.ts'
import { readDeliveryStatus } from '../../../src/outbox/counters.ts'
import type { DestinationRow } from '../../../src/outbox/destination-row.ts'
import { enqueueEvents, type NewEvent } from '../../../src/outbox/enqueue.ts'
import { outboxSchema, slotCount } from '../../../src/outbox/schema.ts'
import { seededRandom } from '../../helpers/seeded-random.ts'
import { DeliveryRecord } from './delivery-record.ts'
import { addDestination, newEvent, takeOver, testOutbox, type Outbox } from './outbox-fixture.ts'

const transactions = Number(process.env['OUTBOX_STRESS_TRANSACTIONS'] ?? 7200)
const seed = Number(process.env['OUTBOX_STRESS_SEED'] ?? randomInt(2 ** 31))
const writerCount = 12
const resourceCount = 40

interface Load {
  readonly outbox: Outbox
  readonly topicIds: readonly number[]
  /** The other writers are done. */
  readonly stop: AbortSignal
}

/** Changes hot resources; versions come from the locked row, so their order is the order of commits. The table `written` is filled in
 *  the same transactions and is the truth. */
async function writeResources({ outbox, topicIds }: Load, random: () => number): Promise<void> {
  const client = await outbox.pool.connect()
  const tx = fromPg(client)
  const enqueue = async (events: NewEvent[]): Promise<void> => {
    for (const { topicId, resourceId, versionId } of events) {
      await client.query('insert into written values ($1, $2)', [
        topicId,
        `${resourceId}/${versionId ?? ''}`,
      ])
    }
    await enqueueEvents(tx, outbox.schema, events)
  }
  for (let left = transactions / writerCount; left > 0; left--) {
    await client.query('begin')
    if (random() < 0.5) await client.query('select pg_current_xact_id()')
    const numbers = new Set(
      Array.from({ length: 1 + Math.floor(random() * 3) }, () =>
        Math.floor(random() * resourceCount),
      ),
    )
    let events: NewEvent[] = []
    for (const number of [...numbers].toSorted((a, b) => a - b)) {
      const { rows } = await client.query<{ version: number }>(
        'update resource set version = version + 1 where id = $1 returning version',
        [number],
      )
      const body = 'x'.repeat(random() * 300)
      const event = newEvent(topicIds[number % 2] ?? 0, `r${number}`, rows[0]?.version, body)
      events.push(random() < 0.1 ? { ...event, interaction: 'delete', body: null } : event)
      if (random() < 0.2) await delay(random() * 8)
      if (random() < 0.3) {
        await enqueue(events)
        events = []
      }
    }
    if (events.length > 0) await enqueue(events)
    await client.query(random() < 0.1 ? 'rollback' : 'commit')
  }
  client.release()
}

/** Holds a transaction open for seconds, with ids from its beginning and its end. */
async function writeSlowly({ outbox, topicIds, stop }: Load, random: () => number): Promise<void> {
  const client = await outbox.pool.connect()
  const tx = fromPg(client)
  const write = async (topicId: number, count: number): Promise<void> => {
    const events = Array.from({ length: count }, () => newEvent(topicId, randomUUID()))
    for (const { resourceId } of events)
      await client.query('insert into written values ($1, $2)', [topicId, `${resourceId}/1`])
    await enqueueEvents(tx, outbox.schema, events)
  }
  while (!stop.aborted) {
    await client.query('begin')
    await client.query('select pg_current_xact_id()')
    if (random() < 0.5) await write(topicIds[0] ?? 0, 1)
    await delay(1000 + random() * 1500)
    await write(topicIds[1] ?? 0, 100)
    await client.query('commit')
  }
  client.release()
}

/** Reads like a leader that is replaced all the time: before the acknowledgement, after it, in the middle of a page. */
async function follow(
  outbox: Outbox,
  { destinationId }: DestinationRow,
  isWritten: AbortSignal,
  random: () => number,
): Promise<{ record: DeliveryRecord; takeOvers: number; deadLetters: number }> {
  const record = new DeliveryRecord()
  let cursor = await takeOver(outbox, destinationId)
  let takeOvers = 0
  let deadLetters = 0
  for (;;) {
    const isLast = isWritten.aborted
    const page = await cursor.nextPage(
      1 + Math.floor(random() * 60),
      1 + Math.floor(random() * 6000),
    )
    if (!page) {
      if (isLast) return { record, takeOvers, deadLetters }
      await cursor.rest()
      await delay(2)
      continue
    }
    const count = random() < 0.1 ? Math.ceil(random() * page.events.length) : page.events.length
    for (const [index, event] of page.events.slice(0, count).entries()) {
      record.see(event.resourceId, Number(event.versionId), page.firstEventNumber + index)
    }
    const limits = [1 + Math.floor(random() * 60), 1 + Math.floor(random() * 6000)] as const
    const ahead = random() < 0.6 ? cursor.readAhead(page, ...limits) : undefined
    if (random() < 0.5) await ahead
    const fate = random()
    if (fate > 0.03) {
      if (fate > 0.98) {
        await cursor.deadLetter(page, 0, 'too large')
        deadLetters++
        if (count > 1) await cursor.acknowledge(page, count - 1)
      } else await cursor.acknowledge(page, count)
    }
    if (fate < 0.04) {
      cursor = await takeOver(outbox, destinationId)
      takeOvers++
    }
  }
}

/** The reader everybody writes first. */
async function followNaively(
  outbox: Outbox,
  topicId: number,
  isWritten: AbortSignal,
): Promise<DeliveryRecord> {
  const record = new DeliveryRecord()
  let lastId = '0'
  let eventNumber = 0
  for (;;) {
    const isLast = isWritten.aborted
    const { rows } = await outbox.pool.query<{
      id: string
      resource_id: string
      version_id: string
    }>(
      `select id, resource_id, version_id from ${outbox.schema.event} where topic_id = $1 and id > $2 order by id limit 50`,
      [topicId, lastId],
    )
    for (const row of rows) record.see(row.resource_id, Number(row.version_id), ++eventNumber)
    lastId = rows.at(-1)?.id ?? lastId
    if (rows.length > 0) continue
    if (isLast) return record
    await delay(2)
  }
}

async function cleanAllTheTime(
  { db, schema }: Outbox,
  isRead: AbortSignal,
  random: () => number,
): Promise<number> {
  let emptied = 0
  const files = new Map<string, string>()
  // In the end everything can be emptied, however busy the machine is.
  while (!isRead.aborted || emptied === 0) {
    await cleanOutbox(db, schema)
    // TRUNCATE gives a table a new file.
    for (let index = 0; index < slotCount; index++) {
      const slot = schema.slot(index)
      const { rows } = await db.query<{ file: string }>(
        'select pg_relation_filenode($1)::text as file',
        [slot],
      )
      const file = rows[0]?.file ?? ''
      if (files.has(slot) && files.get(slot) !== file) emptied++
      files.set(slot, file)
    }
    if (random() < 0.1) await deleteSettledEvents(db, schema, 0)
    await countBacklogs(db, schema, { minEvents: 20 })
    await delay(50)
  }
  return emptied
}

test('readers lose, reorder and renumber nothing under concurrent commits, rollbacks, take-overs and cleaning', async (t) => {
  t.diagnostic(`OUTBOX_STRESS_SEED=${seed} OUTBOX_STRESS_TRANSACTIONS=${transactions}`)
  const small = await testOutbox(t, outboxSchema('stress', { slotEvents: 1000 }))
  const pool = new Pool({ connectionString: small.connectionString, max: 40 })
  // What the end of the database says to connections that are closing.
  pool.on('error', () => undefined)
  const outbox = { ...small, pool, db: fromPg(pool) }
  await pool.query('create table resource (id int primary key, version int not null)')
  await pool.query('insert into resource select i, 0 from generate_series(0, $1) i', [
    resourceCount - 1,
  ])
  await pool.query('create table written (topic_id int, event text)')
  const destinations = [
    await addDestination(outbox, 'a', 'http://example.org/one'),
    await addDestination(outbox, 'b', 'http://example.org/one'),
    await addDestination(outbox, 'c', 'http://example.org/two'),
  ]
  const topicIds = [destinations[0]?.topicId ?? 0, destinations[2]?.topicId ?? 0]
  const stop = new AbortController()
  const written = new AbortController()
  const read = new AbortController()
  const readers = Promise.all(
    destinations.map((destination, index) =>
      follow(outbox, destination, written.signal, seededRandom(seed + index)),
    ),
  )
  const naive = followNaively(outbox, topicIds[0] ?? 0, written.signal)
  const cleaner = cleanAllTheTime(outbox, read.signal, seededRandom(seed + 10))
  const load = { outbox, topicIds, stop: stop.signal }
  const slow = writeSlowly(load, seededRandom(seed + 20))
  await Promise.all(
    Array.from({ length: writerCount }, (_, index) =>
      writeResources(load, seededRandom(seed + 100 + index)),
    ),
  )
  stop.abort()
  await slow
  written.abort()
  const followers = await readers
  read.abort()
  const emptied = await cleaner
  const truth = new Map<number, string[]>()
  for (const topicId of topicIds) {
    const { rows } = await pool.query<{ event: string }>(
      'select event from written where topic_id = $1',
      [topicId],
    )
    truth.set(
      topicId,
      rows.map(({ event }) => event),
    )
  }
  for (const [index, { record, takeOvers, deadLetters }] of followers.entries()) {
    const destination = destinations[index]
    assert.ok(destination)
    const events = truth.get(destination.topicId) ?? []
    t.diagnostic(
      `${destination.reference}: ${events.length} events, ${takeOvers} take-overs, ${record.redelivered} redelivered, ${deadLetters} dead letters`,
    )
    const { misordered, renumbered, gaps } = record
    assert.deepEqual(
      {
        lost: record.lost(events),
        misordered,
        renumbered,
        gaps,
        ghosts: record.count - events.length,
      },
      { lost: 0, misordered: 0, renumbered: 0, gaps: 0, ghosts: 0 },
    )
    assert.ok(takeOvers > 0)
    const status = await readDeliveryStatus(outbox.db, outbox.schema, destination.reference)
    assert.deepEqual(
      [status?.delivered, status?.dead, status?.queued, status?.inProcess],
      [events.length - deadLetters, deadLetters, 0, 0],
    )
  }
  const lostByNaive = (await naive).lost(truth.get(topicIds[0] ?? 0) ?? [])
  t.diagnostic(`control: a reader with "id > last id" lost ${lostByNaive}`)
  assert.ok(lostByNaive > 0, 'the load never showed the race, so it proves nothing')
  t.diagnostic(`slots emptied: ${emptied}`)
  assert.ok(emptied > 0, 'no slot was emptied meanwhile')
  await pool.end()
})
