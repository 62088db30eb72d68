import type { Interaction } from '../host/types.ts'
import { interactionsByCode, type OutboxEvent } from './event-page.ts'
import type { OutboxSchema, Queryable } from './schema.ts'

/** How much of a delivered event is kept: `events` leave it in the log with its content, `references` keep its number and which version of
 *  which resource it was. */
export type DeliveredRetention = 'events' | 'references'

/** An event as it was delivered, without its content. */
export interface DeliveredEvent extends Omit<OutboxEvent, 'body' | 'topicUrl'> {
  readonly eventNumber: number
  /** Kept here only for what the log does not hold. */
  readonly body?: string | null
}

/** In the order of the columns of an entry. */
type Entry = readonly [
  id: string,
  topicId: number,
  interaction: Interaction,
  resourceType: string,
  resourceId: string,
  versionId: string | null,
  at: number,
  correlationId: string | null,
  traceparent: string | null,
  body?: string | null,
]

/** No event of the page is kept in the log: larger than every id. */
const nothingInLog = '9223372036854775807'

/** SQL that records a page beside the update of a destination that settles it. `count`, `firstId` and `events` are placeholders; `settled` is a
 *  CTE with the columns `id` and `event_no` of the destination after the update. */
export function recordPage(
  schema: OutboxSchema,
  settled: string,
  { count, firstId, events }: { count: string; firstId: string; events: string },
): string {
  return `insert into ${schema.deliveredPage} as p (destination_id, first_event_no, last_event_no, first_id, events)
    select id, event_no - ${count}::bigint + 1, event_no, ${firstId}::bigint, ${events}::text from ${settled}
    on conflict (destination_id, first_event_no) do update
      set last_event_no = excluded.last_event_no, first_id = excluded.first_id, events = excluded.events, delivered_at = excluded.delivered_at`
}

/** Values of {@link recordPage}, behind the count. */
export function pageValues(
  events: readonly OutboxEvent[],
  retention: DeliveredRetention,
): readonly [firstId: string, events: string] {
  const first = events.reduce<bigint | undefined>(
    (least, { id }) => (least === undefined || BigInt(id) < least ? BigInt(id) : least),
    undefined,
  )
  const firstId = retention === 'events' && first !== undefined ? String(first) : nothingInLog
  const entries = events.map((event): Entry => [
    event.id,
    event.topicId,
    event.interaction,
    event.resourceType,
    event.resourceId,
    event.versionId ?? null,
    event.at.getTime(),
    event.correlationId ?? null,
    event.traceparent ?? null,
  ])
  return [firstId, JSON.stringify(entries)]
}

/** SQL that records dead letters that were delivered after all, each as a page with its content. `delivered` is a CTE of their rows. */
export function recordDeadLetters(schema: OutboxSchema, delivered: string): string {
  const names = Object.entries(interactionsByCode).map(
    ([code, name]) => `when '${code}' then '${name}'`,
  )
  const interaction = `case interaction ${names.join(' ')} end`
  return `insert into ${schema.deliveredPage} (destination_id, first_event_no, last_event_no, first_id, events)
    select destination_id, event_no, event_no, ${nothingInLog},
           json_build_array(json_build_array(event_id::text, topic_id, ${interaction}, resource_type, resource_id, version_id,
             floor(extract(epoch from at) * 1000), correlation_id, traceparent, body))::text
      from ${delivered} on conflict (destination_id, first_event_no) do nothing`
}

/** Which delivered events are meant, by number and by the time of their change; all inclusive. */
export interface DeliveredRange {
  /** Of these queues only. */
  readonly topicIds: readonly number[]
  readonly fromEvent: number
  readonly toEvent: number
  /** Milliseconds since 1970. */
  readonly fromMs?: number
  readonly toMs?: number
}

/** Most pages that one statement looks at. */
const maxPagesAtOnce = 1000
/** Largest page of a cursor; lets the primary key bound the look from below, too. */
const maxPageEvents = 100_000

/** SQL: the next pages of the destination `$1` behind the number `$2`, up to the number `$3`, in the order of their numbers: as many as have
 *  `$4` events together, but at least one. A time in which little was written has pages of one event. Index: the primary key. */
function nextPages(schema: OutboxSchema): string {
  return `select first_event_no, last_event_no, events
      from (select p.*, row_number() over in_order as place, sum(last_event_no - first_event_no + 1) over in_order as reached
              from (select first_event_no, last_event_no, events from ${schema.deliveredPage}
                     where destination_id = $1 and last_event_no > $2::bigint and first_event_no <= $3::bigint
                       and first_event_no > $2::bigint - ${maxPageEvents} order by first_event_no limit ${maxPagesAtOnce}) p
            window in_order as (order by first_event_no rows unbounded preceding)) measured
     where place = 1 or reached <= $4::bigint`
}

interface PageRow {
  readonly first_event_no: string
  readonly events: string
}

/** Delivered events of a range behind a number, in the order of their numbers; at least `limit` of them unless there are no more. */
export async function readDelivered(
  db: Queryable,
  schema: OutboxSchema,
  destinationId: number,
  range: DeliveredRange,
  limit: number,
): Promise<readonly DeliveredEvent[]> {
  const found: DeliveredEvent[] = []
  let after = range.fromEvent - 1
  while (found.length < limit && after < range.toEvent) {
    const { rows } = await db.query<PageRow>(
      `select first_event_no, events from (${nextPages(schema)}) p order by first_event_no`,
      [destinationId, after, range.toEvent, limit],
    )
    if (rows.length === 0) break
    for (const row of rows) {
      const events = eventsOf(row)
      found.push(...events.filter((event) => isInRange(event, range) && event.eventNumber > after))
      after = Math.max(after, events.at(-1)?.eventNumber ?? after)
    }
  }
  return found
}

function eventsOf({ first_event_no: first, events }: PageRow): DeliveredEvent[] {
  // Written by this file.
  const entries = JSON.parse(events) as readonly Entry[]
  return entries.map((entry, index) => {
    const [id, topicId, interaction, resourceType, resourceId, versionId, at] = entry
    const [, , , , , , , correlationId, traceparent, body] = entry
    return {
      eventNumber: Number(first) + index,
      id,
      topicId,
      interaction,
      resourceType,
      resourceId,
      at: new Date(at),
      ...(versionId !== null && { versionId }),
      ...(correlationId !== null && { correlationId }),
      ...(traceparent !== null && { traceparent }),
      ...(body !== undefined && { body }),
    }
  })
}

function isInRange(
  { eventNumber, topicId, at }: DeliveredEvent,
  { topicIds, fromEvent, toEvent, fromMs, toMs }: DeliveredRange,
): boolean {
  if (!topicIds.includes(topicId)) return false
  if (eventNumber < fromEvent || eventNumber > toEvent) return false
  return at.getTime() >= (fromMs ?? -Infinity) && at.getTime() <= (toMs ?? Infinity)
}

/** What is recorded of a destination: how many events, and between which numbers. */
export interface DeliveredExtent {
  readonly count: number
  readonly firstEvent: number
  readonly lastEvent: number
}

/** Most events that one statement counts, in some tenths of a second. */
const countedAtOnce = 50_000

interface CountRow {
  readonly count: string
  readonly first: string | null
  readonly last: string | null
  /** Number of the last event that was looked at; null: there is no more. */
  readonly reached: string | null
}

/** Counts in stretches, so that no statement is long however many events are kept. What is delivered after the call is not counted.
 *  @param stretchEvents most events of a stretch
 *  @returns undefined when nothing is recorded in the range */
export async function deliveredExtent(
  db: Queryable,
  schema: OutboxSchema,
  destinationId: number,
  { topicIds, fromEvent, toEvent, fromMs, toMs }: DeliveredRange,
  stretchEvents: number = countedAtOnce,
): Promise<DeliveredExtent | undefined> {
  const end = Math.min(toEvent, await lastDelivered(db, schema, destinationId))
  let extent: DeliveredExtent | undefined
  let after = fromEvent - 1
  while (after < end) {
    const { rows } = await db.query<CountRow>(
      `with pages as materialized (${nextPages(schema)}),
       delivered as (
         select first_event_no + e.place - 1 as number, (e.entry->>1)::int as topic_id, (e.entry->>6)::bigint as at
           from pages, json_array_elements(events::json) with ordinality e (entry, place))
       select count(*) as count, min(number) as first, max(number) as last, (select max(last_event_no) from pages) as reached
         from delivered
        where number > $2::bigint and number <= $3::bigint
          and at >= coalesce($5::bigint, at) and at <= coalesce($6::bigint, at) and topic_id = any ($7::int[])`,
      [destinationId, after, end, stretchEvents, fromMs ?? null, toMs ?? null, topicIds],
    )
    const [row] = rows
    extent = joined(extent, row)
    if (row?.reached == null) break
    after = Number(row.reached)
  }
  return extent
}

function joined(
  before: DeliveredExtent | undefined,
  row: CountRow | undefined,
): DeliveredExtent | undefined {
  if (row?.first == null || row.last === null) return before
  return {
    count: (before?.count ?? 0) + Number(row.count),
    firstEvent: before?.firstEvent ?? Number(row.first),
    lastEvent: Number(row.last),
  }
}

/** The largest number that is recorded; 0 when there is none. Index: the primary key. */
async function lastDelivered(
  db: Queryable,
  schema: OutboxSchema,
  destinationId: number,
): Promise<number> {
  const { rows } = await db.query<{ last: string }>(
    `select last_event_no as last from ${schema.deliveredPage}
      where destination_id = $1 order by first_event_no desc limit 1`,
    [destinationId],
  )
  return Number(rows[0]?.last ?? 0)
}

/** Content of events that the log still holds, by id: of as many events, from the first on, as fit into `maxBytes`, but at least one.
 *  @returns those found, and how many of the events were looked at
 *  Index: `event_topic_id_id` */
export async function readBodies(
  db: Queryable,
  schema: OutboxSchema,
  events: readonly DeliveredEvent[],
  maxBytes: number,
): Promise<{ bodies: ReadonlyMap<string, string | null>; looked: number }> {
  const { rows } = await db.query<{
    id: string
    body: string | null
    place: number
    fits: boolean
  }>(
    `select id, place, fits, case when fits then body end as body
       from (select e.id, e.body, w.place::int,
                    sum(coalesce(octet_length(e.body), 0)) over in_order <= $3 or row_number() over in_order = 1 as fits
               from unnest($1::bigint[], $2::int[]) with ordinality w (id, topic_id, place)
               join ${schema.event} e on e.topic_id = w.topic_id and e.id = w.id
             window in_order as (order by w.place rows unbounded preceding)) measured
      order by place`,
    [events.map(({ id }) => id), events.map(({ topicId }) => topicId), maxBytes],
  )
  const bodies = new Map(rows.flatMap(({ id, body, fits }) => (fits ? [[id, body]] : [])))
  const firstLeft = rows.find(({ fits }) => !fits)
  return { bodies, looked: firstLeft ? firstLeft.place - 1 : events.length }
}

/** Forgets what was delivered so long ago; the events themselves are then deleted from the log like others. A node that wants it kept for longer is
 *  heard until it is forgotten itself: one whose option is still 0 must not take away what others record. */
export async function forgetDelivered(
  db: Queryable,
  schema: OutboxSchema,
  retentionMs: number,
): Promise<void> {
  await db.query(
    `delete from ${schema.deliveredPage}
      where delivered_at < clock_timestamp() - interval '1 ms' * greatest($1::float8, (select max(delivered_retention_ms) from ${schema.node}))`,
    [retentionMs],
  )
}
