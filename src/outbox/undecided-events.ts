import type { Interaction } from '../host/types.ts'
import { eventColumns } from './enqueue.ts'
import { interactionsByCode } from './event-page.ts'
import { lockKeys, type OutboxSchema, type Queryable } from './schema.ts'

/** Which undecided events are meant. `ids` are those that a list shows. */
export type UndecidedSelection =
  'all' | { readonly topicUrl: string } | { readonly ids: readonly string[] }

/** An undecided event as it is shown: without resource content. */
export interface UndecidedEvent {
  /** Rises with time. */
  readonly id: string
  readonly topicUrl: string
  /** Reference of the organization whose events the queue is limited to; '' for all. */
  readonly organization: string
  readonly interaction: Interaction
  readonly resourceType: string
  readonly resourceId: string
  readonly versionId: string | undefined
  /** Time of the change. */
  readonly at: Date
  readonly correlationId: string | undefined
  /** Why it could not be decided, the last time. */
  readonly error: string
  /** How often it was tried. */
  readonly attempts: number
  /** When it is tried again though its topic stays the same; undefined: never. */
  readonly nextAttemptAt: Date | undefined
}

/** An undecided event with all that its decision takes. */
export interface StoredUndecided {
  readonly id: string
  readonly topicId: number
  readonly interaction: Interaction
  readonly resourceType: string
  readonly resourceId: string
  readonly versionId: string | undefined
  readonly at: Date
  /** JSON texts. */
  readonly body: string | null
  readonly previous: string | null
  readonly attempts: number
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

/** Takes the lock under which undecided events are moved and removed, until the end of the transaction: nobody does it twice, and nobody waits
 *  for rows in another order. The transaction gets no number by it, so readers of the log do not wait for its end.
 *  @returns false when another one has it */
export async function tryLockUndecided(tx: Queryable, schema: OutboxSchema): Promise<boolean> {
  const { rows } = await tx.query<{ locked: boolean }>(
    `select set_config('idle_in_transaction_session_timeout', '${hungMs}', true), pg_try_advisory_xact_lock($1, $2) as locked`,
    [schema.lockKey, lockKeys.undecided],
  )
  return rows[0]?.locked === true
}

/** As {@link tryLockUndecided}, but waits. */
export async function lockUndecided(tx: Queryable, schema: OutboxSchema): Promise<void> {
  await tx.query(
    `select set_config('idle_in_transaction_session_timeout', '${hungMs}', true), pg_advisory_xact_lock($1, $2)`,
    [schema.lockKey, lockKeys.undecided],
  )
}

/** Ids of events of these queues that are to be decided again: by other criteria than the last time, or because it is time. In order, at most 100.
 *  Indexes: `undecided_event_topic_id_criteria`, `undecided_event_topic_id_next_attempt_at`. */
export async function readDueIds(
  db: Queryable,
  schema: OutboxSchema,
  queues: readonly QueueCriteria[],
  afterId: string,
): Promise<readonly string[]> {
  const { rows } = await db.query<{ id: string }>(
    `${due(schema)} and u.id > $3 order by u.id limit ${maxBatchEvents}`,
    [...queueValues(queues), afterId],
  )
  return rows.map(({ id }) => id)
}

/** Those of the events that are there, in id order, up to 8 MB of resources, but at least one.
 *  @param queues only what is to be decided again by their criteria, as {@link readDueIds} says */
export async function readUndecided(
  tx: Queryable,
  schema: OutboxSchema,
  ids: readonly string[],
  queues?: readonly QueueCriteria[],
): Promise<readonly StoredUndecided[]> {
  const batch = queues
    ? `${due(schema)} and u.id = any ($3::bigint[])`
    : `select u.id from ${schema.undecidedEvent} u where u.id = any ($1::bigint[])`
  const { rows } = await tx.query<StoredRow>(
    `with batch as materialized (${batch})
     select id, topic_id, interaction, resource_type, resource_id, version_id, at, body, previous, attempts
       from (select u.*, row_number() over in_order as place,
                    sum(coalesce(octet_length(u.body), 0) + coalesce(octet_length(u.previous), 0)) over in_order as bytes
               from batch join ${schema.undecidedEvent} u using (id) window in_order as (order by id)) measured
      where place = 1 or bytes <= ${maxBatchBytes} order by id`,
    [...(queues ? queueValues(queues) : []), ids],
  )
  return rows.map((row) => ({
    id: row.id,
    topicId: row.topic_id,
    interaction: interactionsByCode[row.interaction] ?? 'update',
    resourceType: row.resource_type,
    resourceId: row.resource_id,
    versionId: row.version_id ?? undefined,
    at: row.at,
    body: row.body,
    previous: row.previous,
    attempts: row.attempts,
  }))
}

/** The largest id; '0' when there is none. */
export async function newestUndecidedId(db: Queryable, schema: OutboxSchema): Promise<string> {
  const { rows } = await db.query<{ id: string | null }>(
    `select max(id) as id from ${schema.undecidedEvent}`,
  )
  return rows[0]?.id ?? '0'
}

/** Ids of a selection, in order: behind `after`, up to `through`. */
export async function readUndecidedIds(
  db: Queryable,
  schema: OutboxSchema,
  selection: UndecidedSelection,
  { after, through, limit }: { after: string; through: string; limit: number },
): Promise<readonly string[]> {
  const { condition, value } = selected(schema, selection)
  const { rows } = await db.query<{ id: string }>(
    `select u.id from ${schema.undecidedEvent} u where ${condition} and u.id > $2 and u.id <= $3 order by u.id limit $4`,
    [value, after, through, limit],
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
    id: row.id,
    topicUrl: row.url,
    organization: row.organization,
    interaction: interactionsByCode[row.interaction] ?? 'update',
    resourceType: row.resource_type,
    resourceId: row.resource_id,
    versionId: row.version_id ?? undefined,
    at: row.at,
    correlationId: row.correlation_id ?? undefined,
    error: row.error,
    attempts: row.attempts,
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
        where d.kind = 'kafka-at-least-once' and s.left_move is null and s.until_xid is null and s.from_xid <= pg_current_xact_id()
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

/** Removes events and counts them for the destinations that would have got them.
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
    `with gone as (delete from ${schema.undecidedEvent} where id = any ($1::bigint[]) returning id, topic_id, at),
     counted as (
       insert into ${schema.undecidedCounter} as c (destination_id, ${as})
       select destination_id, count(*) from (${concerned(schema, 'gone')}) g group by destination_id order by destination_id
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

/** How many events a queue keeps, counted up to `limit`. Index: `undecided_event_topic_id`. */
export async function countUndecided(
  db: Queryable,
  schema: OutboxSchema,
  topicId: number,
  limit: number,
): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    `select count(*)::int as count from (select from ${schema.undecidedEvent} where topic_id = $1 limit $2) u`,
    [topicId, limit],
  )
  return rows[0]?.count ?? 0
}

/** Counts events that are not kept, in the transaction of their write. Only appends, so that it never waits for another one. */
export async function countNotKept(
  tx: Queryable,
  schema: OutboxSchema,
  counts: ReadonlyMap<number, number>,
): Promise<void> {
  await tx.query(
    `insert into ${schema.undecidedOverflow} (topic_id, count) select * from unnest($1::int[], $2::int[])`,
    [[...counts.keys()], [...counts.values()]],
  )
}

/** Adds what was not kept to the counters of the destinations that would have got it. */
export async function addUpNotKept(tx: Queryable, schema: OutboxSchema): Promise<void> {
  await tx.query(
    `with gone as (delete from ${schema.undecidedOverflow} returning topic_id, at, count)
     insert into ${schema.undecidedCounter} as c (destination_id, not_kept, not_kept_at)
     select destination_id, sum(count), max(at) from (${concerned(schema, 'gone')}) g group by destination_id order by destination_id
     on conflict (destination_id) do update
       set not_kept = c.not_kept + excluded.not_kept, not_kept_at = greatest(c.not_kept_at, excluded.not_kept_at)`,
  )
}

/** SQL condition: what stands in `u` (`topic_id`, `at`) concerns the destination `d`, which was there and read its queue. */
export function concerns(schema: OutboxSchema): string {
  return `u.at >= d.started_at and exists (
    select from ${schema.source} s where s.destination_id = d.id and s.topic_id = u.topic_id
       and (s.left_at is null or u.at <= s.left_at))`
}

/** SQL: rows of `from`, once for each at-least-once destination that they concern. */
function concerned(schema: OutboxSchema, from: string): string {
  return `select d.id as destination_id, u.* from ${from} u join ${schema.destination} d
            on d.kind = 'kafka-at-least-once' and ${concerns(schema)}`
}

function selected(
  schema: OutboxSchema,
  selection: UndecidedSelection,
): { condition: string; value: unknown } {
  if (selection === 'all') return { condition: '$1::text is null', value: null }
  if ('ids' in selection) return { condition: 'u.id = any ($1::bigint[])', value: selection.ids }
  const topics = `select id from ${schema.topic} where url = $1::text`
  return { condition: `u.topic_id in (${topics})`, value: selection.topicUrl }
}

function due(schema: OutboxSchema): string {
  return `select u.id from unnest($1::int[], $2::text[]) q (topic_id, criteria)
      join ${schema.undecidedEvent} u on u.topic_id = q.topic_id
       and (u.criteria < q.criteria or u.criteria > q.criteria or u.next_attempt_at <= clock_timestamp())
     where true`
}

function queueValues(queues: readonly QueueCriteria[]): readonly unknown[] {
  return [queues.map(({ topicId }) => topicId), queues.map(({ criteria }) => criteria)]
}

interface NamedRow {
  readonly id: string
  readonly interaction: string
  readonly resource_type: string
  readonly resource_id: string
  readonly version_id: string | null
  readonly at: Date
  readonly attempts: number
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
