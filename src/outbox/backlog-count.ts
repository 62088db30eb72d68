import { isSettled } from './cursor-row.ts'
import { lockKeys, type OutboxSchema, type Queryable } from './schema.ts'
import { isInStretch } from './sources.ts'

/** SQL after `from`: ids `e.id` of the events of the destination `d` that no number in its row contains. Without a backlog count these
 *  are the unsettled ones. Index: `event_topic_id_id`; `offset 0` keeps the planner from joining the sources with the whole log. */
export function uncountedEvents(schema: OutboxSchema): string {
  return `${schema.source} s, lateral (
     select e.id from ${schema.event} e
      where e.topic_id = s.topic_id and e.id > case when d.count_snap is null then d.low else d.count_low end
        and ${isInStretch}
        and case when d.count_snap is null
            then not ${isSettled}
            else not (e.id <= d.count_pos and pg_visible_in_snapshot(e.xid, d.count_snap)) end
     offset 0) e
     where s.destination_id = d.id`
}

export interface BacklogCountOptions {
  /** Shorter queues are not counted.
   *  @default 1000 */
  readonly minEvents?: number
  /** Destinations whose turn it is: those with the next ids.
   *  @default 0 */
  readonly afterDestinationId?: number
  /** Most destinations of one call.
   *  @default 100 */
  readonly maxDestinations?: number
}

/** Counts long queues further, so that reading their length stays quick. Call it each second, outside of a transaction; thousands of
 *  destinations take turns, for their length is exact without it, too.
 *
 *  Every event is counted once: `counted` is the number of events since the destination began with `id <= count_pos` in `count_snap`.
 *  An acknowledgement that passes `count_pos` voids the count; then the row's own counters are enough.
 *  @returns after which destination the next call is to go on; 0 when it has come to the end */
export async function countBacklogs(
  db: Queryable,
  schema: OutboxSchema,
  { minEvents = 1000, afterDestinationId = 0, maxDestinations = 100 }: BacklogCountOptions = {},
): Promise<number> {
  const { rows } = await db.query<{ id: number; is_long: boolean }>(
    `select d.id, d.count_snap is not null
              or (select count(*) from (select from ${uncountedEvents(schema)} limit $1) uncounted) >= $1 as is_long
       from (select * from ${schema.destination} where kind = 'kafka-at-least-once' and id > $2 order by id limit $3) d
      order by d.id`,
    [minEvents, afterDestinationId, maxDestinations],
  )
  for (const { id, is_long: isLong } of rows) if (isLong) await countBacklog(db, schema, id)
  return rows.length < maxDestinations ? 0 : (rows.at(-1)?.id ?? 0)
}

/** One step: all events that this statement sees and no step before it has counted.
 *
 *  `count_low` saves looking at all of them again. As in {@link LateIds}, the count's own updates date transactions: `count_mark_id`
 *  was the last drawn id before `count_mark_xid` was assigned. When no older transaction is open any more, whatever is
 *  still to come has a higher id, and a new mark is set.
 *
 *  A destination that was changed meanwhile (epoch, source_version) or counted by another node (count_snap) is left for its next turn;
 *  acknowledgements meanwhile do no harm, because what is counted here is the log, not the queue. */
async function countBacklog(
  db: Queryable,
  schema: OutboxSchema,
  destinationId: number,
): Promise<void> {
  await db.query(
    `with now as materialized (select pg_current_snapshot() as snap, ${schema.lastEventId} as last_id),
          before as materialized (
            select d.*, n.events, n.last_id,
                   d.count_snap is null or d.count_mark_xid < pg_snapshot_xmin(pg_current_snapshot()) as is_marking
              from ${schema.destination} d,
                   lateral (select count(*) as events, max(e.id) as last_id from ${uncountedEvents(schema)}) n
             where d.id = $1 and pg_try_advisory_xact_lock($2, $3))
     update ${schema.destination} d
        set counted = before.events + case when before.count_snap is null then before.delivered + before.dead else before.counted end,
            count_pos = case when before.count_snap is null then greatest(before.pos, before.round_pos, before.last_id)
                        else greatest(before.count_pos, before.last_id) end,
            count_snap = now.snap,
            count_low = case when before.count_snap is null then before.low
                        when before.is_marking then before.count_mark_id else before.count_low end,
            count_mark_xid = case when before.is_marking then pg_current_xact_id() else before.count_mark_xid end,
            count_mark_id = case when before.is_marking then now.last_id else before.count_mark_id end
       from before, now
      where d.id = before.id and d.epoch = before.epoch and d.source_version = before.source_version and d.count_snap::text is not distinct from before.count_snap::text`,
    [destinationId, schema.lockKey, lockKeys.janitor],
  )
}
