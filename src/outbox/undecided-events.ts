import { eventColumns } from './enqueue.ts'
import { toListedChange, type ChangeRow, type ListedChange } from './event-page.ts'
import { heldDestinations } from './destination-locks.ts'
import { lockKeys, type OutboxSchema, type Queryable } from './schema.ts'
import { isReading } from './sources.ts'
import { countedQueues } from './undecided-counts.ts'
import { selected, type UndecidedSelection } from './undecided-selection.ts'

/** What every view of an undecided event says. */
interface NamedUndecided extends ListedChange {
  /** Rises with time. */
  readonly id: string
  /** How often it was tried. */
  readonly attempts: number
}

/** An undecided event as it is shown: without resource content. */
export interface UndecidedEvent extends NamedUndecided {
  readonly topicUrl: string
  /** Reference of the organization whose events the queue is limited to; '' for all. */
  readonly organization: string
  readonly correlationId: string | undefined
  /** Why it could not be decided, the last time. */
  readonly error: string
  /** When it is tried again though its topic stays the same; undefined: never. */
  readonly nextAttemptAt: Date | undefined
}

/** An undecided event with all that its decision takes. */
export interface StoredUndecided extends NamedUndecided {
  readonly topicId: number
  /** JSON texts. */
  readonly body: string | null
  readonly previous: string | null
}

/** A queue of the log and the name of the criteria that select its events now. */
export interface QueueCriteria {
  readonly topicId: number
  readonly criteria: string
}

/** Still undecided. */
export interface UndecidedAgain {
  readonly id: string
  readonly error: string
  readonly criteria: string
  /** Null: not before the criteria change. */
  readonly retryInMs: number | null
}

/** Most events that are decided in one transaction. */
export const maxBatchEvents = 100
/** The look for them goes through all that is due of a queue. */
const maxDueIds = 10_000
const maxBatchBytes = 8 * 1024 * 1024
/** A node that hangs in the middle must not keep the others from deciding. */
const hungMs = 60_000

/** What there is to do; both are cheap to ask where nothing is undecided. */
export async function lookForUndecided(
  db: Queryable,
  schema: OutboxSchema,
): Promise<{ areParked: boolean; areCounted: boolean }> {
  const { rows } = await db.query<{ parked: boolean; counted: boolean }>(
    `select exists (select from ${schema.undecidedEvent}) as parked, exists (select from ${schema.undecidedOverflow}) as counted`,
  )
  const [row] = rows
  return { areParked: row?.parked === true, areCounted: row?.counted === true }
}

/** Takes the lock under which undecided events of a queue are moved and removed, or those that were not kept are added up, until the end of the
 *  transaction: nobody does it twice, and nobody waits for rows in another order. The transaction gets no number by it, so readers of the log do not
 *  wait for its end.
 *  @returns false when another one has it */
export async function tryLockUndecided(
  tx: Queryable,
  schema: OutboxSchema,
  what: number | 'not-kept',
): Promise<boolean> {
  const { rows } = await tx.query<{ locked: boolean }>(
    `select set_config('idle_in_transaction_session_timeout', '${hungMs}', true), pg_try_advisory_xact_lock($1, $2) as locked`,
    [schema.lockKey, lockKeyOf(what)],
  )
  return rows[0]?.locked === true
}

/** As {@link tryLockUndecided}, but waits. */
export async function lockUndecided(
  tx: Queryable,
  schema: OutboxSchema,
  topicId: number,
): Promise<void> {
  await tx.query(
    `select set_config('idle_in_transaction_session_timeout', '${hungMs}', true), pg_advisory_xact_lock($1, $2)`,
    [schema.lockKey, lockKeyOf(topicId)],
  )
}

/** Ids of queues begin at 1. */
function lockKeyOf(what: number | 'not-kept'): number {
  return lockKeys.undecided - (what === 'not-kept' ? 0 : what)
}

/** The queues among these that have an event to be decided again: by other criteria than the last time, or because it is time.
 *  Three looks into an index for each: `undecided_event_topic_id_criteria`, `undecided_event_topic_id_next_attempt_at`. */
export async function findDueQueues(
  db: Queryable,
  schema: OutboxSchema,
  queues: readonly QueueCriteria[],
): Promise<readonly QueueCriteria[]> {
  const event = `${schema.undecidedEvent} u where u.topic_id = q.topic_id`
  const { rows } = await db.query<{ topic_id: number; criteria: string }>(
    `select topic_id, criteria from unnest($1::int[], $2::text[]) q (topic_id, criteria)
      where exists (select from ${event} and u.criteria < q.criteria) or exists (select from ${event} and u.criteria > q.criteria)
         or exists (select from ${event} and u.next_attempt_at <= statement_timestamp())
      order by topic_id`,
    [queues.map(({ topicId }) => topicId), queues.map(({ criteria }) => criteria)],
  )
  return rows.map(({ topic_id: topicId, criteria }) => ({ topicId, criteria }))
}

/** Ids of a queue's events that are to be decided again, in order, at most 10,000. `id + 0`: the planner would walk the primary key past
 *  everything that is not due. */
export async function readDueIds(
  db: Queryable,
  schema: OutboxSchema,
  { topicId, criteria }: QueueCriteria,
  afterId: string,
): Promise<readonly string[]> {
  const { rows } = await db.query<{ id: string }>(
    `select u.id from ${schema.undecidedEvent} u where ${isDue} and u.id > $3 order by u.id + 0 limit ${maxDueIds}`,
    [topicId, criteria, afterId],
  )
  return rows.map(({ id }) => id)
}

/** Those of the events that are there, in id order, up to 8 MB of resources, but at least one.
 *  @param queue only what {@link readDueIds} would find */
export async function readUndecided(
  tx: Queryable,
  schema: OutboxSchema,
  ids: readonly string[],
  queue?: QueueCriteria,
): Promise<readonly StoredUndecided[]> {
  const condition = queue ? `${isDue} and u.id = any ($3::bigint[])` : 'u.id = any ($1::bigint[])'
  const { rows } = await tx.query<StoredRow>(
    `with batch as materialized (select u.id from ${schema.undecidedEvent} u where ${condition})
     select id, topic_id, interaction, resource_type, resource_id, version_id, at, body, previous, attempts
       from (select u.*, row_number() over in_order as place,
                    sum(coalesce(octet_length(u.body), 0) + coalesce(octet_length(u.previous), 0)) over in_order as bytes
               from batch join ${schema.undecidedEvent} u using (id) window in_order as (order by id)) measured
      where place = 1 or bytes <= ${maxBatchBytes} order by id`,
    [...(queue ? [queue.topicId, queue.criteria] : []), ids],
  )
  return rows.map((row) => ({
    ...named(row),
    topicId: row.topic_id,
    body: row.body,
    previous: row.previous,
  }))
}

/** The largest id; '0' when there is none. */
export async function newestUndecidedId(db: Queryable, schema: OutboxSchema): Promise<string> {
  const { rows } = await db.query<{ id: string | null }>(
    `select max(id) as id from ${schema.undecidedEvent}`,
  )
  return rows[0]?.id ?? '0'
}

/** The queues that a selection has events of, in order. */
export async function selectedQueues(
  db: Queryable,
  schema: OutboxSchema,
  selection: UndecidedSelection,
): Promise<readonly number[]> {
  const { condition, value } = selected(schema, selection)
  const { rows } = await db.query<{ topic_id: number }>(
    `select distinct u.topic_id from ${schema.undecidedEvent} u where ${condition} order by 1`,
    [value],
  )
  return rows.map(({ topic_id: topicId }) => topicId)
}

/** A stretch of a queue. */
export interface UndecidedRange {
  readonly topicId: number
  /** Ids: behind this one, */
  readonly after: string
  /** up to this one, */
  readonly through: string
  /** at most so many. */
  readonly limit: number
}

/** Ids of a selection in a stretch, in order. `id + 0`: as {@link readDueIds}. */
export async function readUndecidedIds(
  db: Queryable,
  schema: OutboxSchema,
  selection: UndecidedSelection,
  { topicId, after, through, limit }: UndecidedRange,
): Promise<readonly string[]> {
  const { condition, value } = selected(schema, selection)
  const { rows } = await db.query<{ id: string }>(
    `select u.id from ${schema.undecidedEvent} u
      where ${condition} and u.topic_id = $2 and u.id > $3 and u.id <= $4 order by u.id + 0 limit $5`,
    [value, topicId, after, through, limit],
  )
  return rows.map(({ id }) => id)
}

/** A page of a selection, in id order. */
export async function listUndecided(
  db: Queryable,
  schema: OutboxSchema,
  selection: UndecidedSelection,
  afterId: string,
  limit: number,
): Promise<readonly UndecidedEvent[]> {
  const { condition, value } = selected(schema, selection)
  const { rows } = await db.query<ListedRow>(
    `select u.id, t.url, t.organization, u.interaction, u.resource_type, u.resource_id, u.version_id, u.at, u.correlation_id, u.error,
            u.attempts, u.next_attempt_at
       from ${schema.undecidedEvent} u join ${schema.topic} t on t.id = u.topic_id
      where ${condition} and u.id > $2 order by u.id limit $3`,
    [value, afterId, limit],
  )
  return rows.map((row) => ({
    ...named(row),
    topicUrl: row.url,
    organization: row.organization,
    correlationId: row.correlation_id ?? undefined,
    error: row.error,
    nextAttemptAt: row.next_attempt_at ?? undefined,
  }))
}

/** Moves events to the log, with new ids, in one statement: as the last one before COMMIT, because ids are drawn here. Those whose queue nobody
 *  reads any more stay: in the log they would be lost.
 *
 *  Who reads a queue must not leave it before COMMIT: a destination's move is closed with a transaction number, and an event with a larger one is no
 *  longer its. So the rows are locked, and one that is locked already, because it is about to leave, does not count.
 *  @returns ids of what was moved, and its queues */
export async function moveUndecidedToLog(
  tx: Queryable,
  schema: OutboxSchema,
  ids: readonly string[],
): Promise<{ ids: ReadonlySet<string>; topicIds: ReadonlySet<number> }> {
  if (ids.length === 0) return { ids: new Set(), topicIds: new Set() }
  const { rows } = await tx.query<{ id: string; topic_id: number }>(
    `with read_queue as materialized (
       select s.topic_id from ${schema.source} s join ${schema.destination} d on d.id = s.destination_id
        where d.kind = 'kafka-at-least-once' and ${isReading('s')} and s.from_xid <= pg_current_xact_id()
          and s.topic_id in (select topic_id from ${schema.undecidedEvent} where id = any ($1::bigint[]))
          for share of s skip locked),
     moved as (
       delete from ${schema.undecidedEvent} where id = any ($1::bigint[]) and topic_id in (select topic_id from read_queue)
       returning id, ${eventColumns}),
     written as (
       insert into ${schema.event} (${eventColumns}) select ${eventColumns} from moved order by moved.id)
     select id, topic_id from moved`,
    [ids],
  )
  return {
    ids: new Set(rows.map(({ id }) => id)),
    topicIds: new Set(rows.map(({ topic_id: topicId }) => topicId)),
  }
}

/** Removes events and counts them for the destinations that they were counted for as undecided.
 *  @param as what `$status` counts them as
 *  @returns how many there were */
export async function removeUndecided(
  tx: Queryable,
  schema: OutboxSchema,
  ids: readonly string[],
  as: 'not_fired' | 'discarded',
): Promise<number> {
  if (ids.length === 0) return 0
  const { rows } = await tx.query<{ count: number }>(
    `with gone as (delete from ${schema.undecidedEvent} where id = any ($1::bigint[]) returning topic_id),
     removed as materialized (
       select q.destination_id as id, count(*) as count
         from gone join (${countedQueues(schema, 's.topic_id in (select topic_id from gone)')}) q using (topic_id)
        group by q.destination_id),
     held as materialized (${heldDestinations(schema, 'select id from removed')}),
     counted as (
       insert into ${schema.undecidedCounter} as c (destination_id, ${as})
       select id, count from removed join held using (id) order by id
       on conflict (destination_id) do update set ${as} = c.${as} + excluded.${as})
     select count(*)::int as count from gone`,
    [ids],
  )
  return rows[0]?.count ?? 0
}

/** Keeps events that could not be decided again, with what is known now. */
export async function keepUndecided(
  tx: Queryable,
  schema: OutboxSchema,
  events: readonly UndecidedAgain[],
): Promise<void> {
  if (events.length === 0) return
  await tx.query(
    `update ${schema.undecidedEvent} u
        set error = e.error, criteria = e.criteria, attempts = u.attempts + 1,
            next_attempt_at = clock_timestamp() + e."retryInMs" * interval '1 ms'
       from jsonb_to_recordset($1::jsonb) as e (id bigint, error text, criteria text, "retryInMs" float8)
      where u.id = e.id`,
    [JSON.stringify(events)],
  )
}

/** SQL condition: the event `u` of the queue `$1` with the criteria `$2` is to be decided again. A time that is the same for the whole statement
 *  can stand in an index condition, `clock_timestamp()` cannot. */
const isDue = `u.topic_id = $1::int
  and (u.criteria < $2::text or u.criteria > $2::text or u.next_attempt_at <= statement_timestamp())`

interface NamedRow extends ChangeRow {
  readonly attempts: number
}

function named(row: NamedRow): NamedUndecided {
  return { ...toListedChange(row), id: row.id, attempts: row.attempts }
}

interface StoredRow extends NamedRow {
  readonly topic_id: number
  readonly body: string | null
  readonly previous: string | null
}

interface ListedRow extends NamedRow {
  readonly url: string
  readonly organization: string
  readonly correlation_id: string | null
  readonly error: string
  readonly next_attempt_at: Date | null
}
