import { toEvent, type EventRow, type OutboxEvent } from './event-page.ts'
import { createJob, type JobSelection } from './jobs.ts'
import type { OutboxSchema, Queryable } from './schema.ts'
import { isOfTimeAndError } from './selection-condition.ts'
import { isSendable } from './sendable-topics.ts'

/** An event that was set aside, with the number that it keeps. */
export interface DeadLetter extends OutboxEvent {
  readonly eventNumber: number
}

/** SQL: `update`, of the destination's row `d`, puts the event behind the cursor; with it the event becomes a dead letter. The placeholders are
 *  its id, its error and its queue. */
export function becomeDeadLetter(
  schema: OutboxSchema,
  update: string,
  [id, error, topicId]: readonly [string, string, string],
): string {
  return `with d as (${update} returning d.id, d.event_no)
    insert into ${schema.deadLetter} (destination_id, event_no, event_id, topic_id, interaction, resource_type, resource_id,
           version_id, at, correlation_id, traceparent, body, error)
    select d.id, d.event_no, e.id, e.topic_id, e.interaction, e.resource_type, e.resource_id,
           e.version_id, e.at, e.correlation_id, e.traceparent, e.body, ${error}
      from d join ${schema.event} e on e.topic_id = ${topicId} and e.id = ${id}
    returning 1`
}

/** SQL condition on dead letters `l`: those that a JobSelection means.
 *  @param selection placeholder of it, as jsonb */
export function isMeant(selection: string): string {
  return `l.event_no >= coalesce((${selection}::jsonb->>'fromEvent')::bigint, l.event_no)
    and l.event_no <= coalesce((${selection}::jsonb->>'toEvent')::bigint, l.event_no)
    and ${isOfTimeAndError('l', selection)}`
}

/** SQL condition on dead letters `l`: those of the destination `$1` that the JobSelection `$2` means. */
const isSelected = `l.destination_id = $1 and ${isMeant('$2')}`

/** SQL condition on dead letters `l`. */
function isOfSendable(schema: OutboxSchema): string {
  return `exists (select from ${schema.destination} d, ${schema.topic} t
                   where d.id = l.destination_id and t.id = l.topic_id and ${isSendable(schema)})`
}

interface DeadLetterRow extends EventRow {
  readonly event_no: string
  readonly topic_id: number
  readonly url: string
}

/** Which dead letters of a destination are meant: those that failed by `until`, behind a number. */
export interface DeadLetterPage {
  readonly destinationId: number
  readonly selection: JobSelection
  readonly afterEvent: string
  /** One that failed again later has had its turn. */
  readonly until: Date
  readonly limit: number
  readonly maxBytes: number
}

/** In the order of their numbers, up to `limit` of them or `maxBytes` of content, but at least one. Index: the primary key. */
export async function readDeadLetters(
  db: Queryable,
  schema: OutboxSchema,
  { destinationId, selection, afterEvent, until, limit, maxBytes }: DeadLetterPage,
): Promise<readonly DeadLetter[]> {
  const { rows } = await db.query<DeadLetterRow>(
    `select event_no, event_id as id, topic_id, url, interaction, resource_type, resource_id, version_id, at, correlation_id, traceparent, body
       from (select l.*, t.url, row_number() over in_order as place, sum(coalesce(octet_length(l.body), 0)) over in_order as bytes
               from (select * from ${schema.deadLetter} l
                      where ${isSelected} and ${isOfSendable(schema)} and l.event_no > $3 and l.failed_at <= $4 order by l.event_no limit $5) l
               join ${schema.topic} t on t.id = l.topic_id
             window in_order as (order by l.event_no rows unbounded preceding)) measured
      where place = 1 or bytes <= $6 order by event_no`,
    [destinationId, JSON.stringify(selection), afterEvent, until, limit, maxBytes],
  )
  return rows.map((row) => ({
    ...toEvent(row, { topicId: row.topic_id, topicUrl: row.url }),
    eventNumber: Number(row.event_no),
  }))
}

/** How many can be sent again. */
export async function countDeadLetters(
  db: Queryable,
  schema: OutboxSchema,
  destinationId: number,
  selection: JobSelection,
): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    `select count(*)::int as count from ${schema.deadLetter} l where ${isSelected} and ${isOfSendable(schema)}`,
    [destinationId, JSON.stringify(selection)],
  )
  return rows[0]?.count ?? 0
}

/** Forgets dead letters; `$status` counts them as discarded. No redrive runs meanwhile: it may have sent one of them just now, so for the time of
 *  the transaction its place is taken, and the destination's row is locked.
 *  @returns how many; `running` when a redrive is running, or there is no such destination; `sending` when one was cancelled and has a page under way */
export async function discardDeadLetters(
  tx: Queryable,
  schema: OutboxSchema,
  destinationId: number,
  selection: JobSelection,
): Promise<number | 'running' | 'sending'> {
  const held = await tx.query<{ is_sending: boolean }>(
    `select coalesce(job_page->>'kind' = 'redrive', false) as is_sending from ${schema.destination} where id = $1 for no key update`,
    [destinationId],
  )
  const place = await createJob(tx, schema, {
    destinationId,
    kind: 'redrive',
    selection,
    maxPerSecond: 0,
    position: '0',
    total: 0,
  })
  if (!place) return 'running'
  if (held.rows[0]?.is_sending === true) {
    await tx.query(`delete from ${schema.job} where id = $1`, [place.id])
    return 'sending'
  }
  const { rows } = await tx.query<{ count: number }>(
    `with gone as (delete from ${schema.deadLetter} l where ${isSelected} returning 1),
     counted as (select count(*)::int as count from gone),
     told as (
       update ${schema.destination} d set dead_discarded = d.dead_discarded + counted.count from counted
        where d.id = $1 and counted.count > 0)
     select count from counted`,
    [destinationId, JSON.stringify(selection)],
  )
  await tx.query(`delete from ${schema.job} where id = $1`, [place.id])
  return rows[0]?.count ?? 0
}
