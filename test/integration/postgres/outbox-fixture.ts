import { setTimeout as delay } from 'node:timers/promises'
import { Client, type Pool } from 'pg'
import { fromPg } from '../../../src/host/sql-tx.ts'
import type { SqlTx } from '../../../src/host/types.ts'
import type { DestinationKind, DestinationRow } from '../../../src/outbox/destination-row.ts'
import { listDestinationRows, putDestination } from '../../../src/outbox/destinations.ts'
import { enqueueEvents, type NewEvent } from '../../../src/outbox/enqueue.ts'
import { EventCursor, type Page } from '../../../src/outbox/event-cursor.ts'
import { migrateOutbox } from '../../../src/outbox/migrations.ts'
import { outboxSchema, type OutboxSchema } from '../../../src/outbox/schema.ts'
import { testDatabase, type CleanUp } from '../../helpers/postgres.ts'

export interface Outbox {
  readonly pool: Pool
  readonly connectionString: string
  readonly db: SqlTx
  readonly schema: OutboxSchema
}

/** A migrated outbox in a database of its own. */
export async function testOutbox(
  t: CleanUp,
  schema: OutboxSchema = outboxSchema(),
): Promise<Outbox> {
  const { pool, connectionString } = await testDatabase(t)
  await migrateOutbox(pool, schema)
  return { pool, connectionString, db: fromPg(pool), schema }
}

export async function addDestination(
  { db, schema }: Outbox,
  id: string,
  topicUrl = 'http://example.org/topic',
  kind: DestinationKind = 'kafka-at-least-once',
): Promise<DestinationRow> {
  const reference = `AidboxTopicDestination/${id}`
  await putDestination(db, schema, { reference, kind, topicUrl })
  const row = (await listDestinationRows(db, schema)).find((found) => found.reference === reference)
  if (!row) throw new Error('the destination was not written')
  return row
}

/** Takes the destination over as a new leader does: epoch + 1, then the row. */
export async function takeOver(
  { pool, db, schema }: Outbox,
  destinationId: number,
): Promise<EventCursor> {
  const { rows } = await pool.query<{ epoch: number }>(
    `update ${schema.destination} set epoch = epoch + 1 where id = $1 returning epoch`,
    [destinationId],
  )
  return EventCursor.load(db, schema, destinationId, rows[0]?.epoch ?? 0)
}

export function newEvent(topicId: number, resourceId: string, version = 1, body = '{}'): NewEvent {
  return {
    topicId,
    interaction: 'update',
    resourceType: 'Patient',
    resourceId,
    versionId: String(version),
    body,
  }
}

export function newEvents(topicId: number, count: number, body = '{}'): NewEvent[] {
  return Array.from({ length: count }, (_, index) => newEvent(topicId, `p${index + 1}`, 1, body))
}

/** Events of resources with these ids, in a transaction of their own. */
export async function write(
  { db, schema }: Outbox,
  topicId: number,
  ...resourceIds: readonly string[]
): Promise<void> {
  await enqueueEvents(
    db,
    schema,
    resourceIds.map((resourceId) => newEvent(topicId, resourceId)),
  )
}

/** The cursor's columns of a destination, with ids as numbers. */
export async function cursorRow(
  { pool, schema }: Outbox,
  destinationId: number,
): Promise<{ low: number; pos: number; token: number; epoch: number; isCounting: boolean }> {
  const { rows } = await pool.query<{
    low: number
    pos: number
    token: number
    epoch: number
    isCounting: boolean
  }>(
    `select low::float8 as low, pos::float8 as pos, token::float8 as token, epoch, count_snap is not null as "isCounting"
       from ${schema.destination} where id = $1`,
    [destinationId],
  )
  const [row] = rows
  if (!row) throw new Error('there is no such destination')
  return row
}

/** Ids of the resources of a page. */
export function idsOf(page: Page | undefined): string[] {
  return page?.events.map(({ resourceId }) => resourceId) ?? []
}

/** Drains, and rests until the row says that everything is settled. */
export async function settleAll(outbox: Outbox, destinationId: number): Promise<EventCursor> {
  const cursor = await takeOver(outbox, destinationId)
  await drain(cursor)
  await eventually(async () => {
    await cursor.rest()
    await drain(cursor)
    const { low, pos } = await cursorRow(outbox, destinationId)
    return low === pos
  })
  return cursor
}

/** A transaction held open by the test, on a connection of its own: one that a failed test leaves open ends with the database. */
export async function openTransaction(
  pool: Pool,
): Promise<{ tx: SqlTx; commit(): Promise<void>; rollback(): Promise<void> }> {
  const client = new Client(pool.options)
  client.on('error', () => undefined)
  await client.connect()
  await client.query('begin')
  const end = async (statement: string): Promise<void> => {
    await client.query(statement)
    await client.end()
  }
  return { tx: fromPg(client), commit: () => end('commit'), rollback: () => end('rollback') }
}

/** Ids of the resources of everything that is queued; acknowledges it. */
export async function drain(cursor: EventCursor, maxEvents = 100): Promise<string[]> {
  const seen: string[] = []
  for (;;) {
    const page = await cursor.nextPage(maxEvents, 1e9)
    if (!page) return seen
    seen.push(...page.events.map(({ resourceId }) => resourceId))
    await cursor.acknowledge(page)
  }
}

/** Polls a condition of another process or session; fails after the deadline. */
export async function eventually(
  condition: () => Promise<boolean>,
  deadlineMs = 20_000,
): Promise<void> {
  const signal = AbortSignal.timeout(deadlineMs)
  while (!(await condition())) {
    if (signal.aborted) throw new Error('the condition did not come true')
    await delay(10)
  }
}
