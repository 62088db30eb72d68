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

/** Counts long queues further, so that reading their length stays quick. Call it each second, outside of a transaction.
 *
 *  Every event is counted once: `counted` is the number of events since the destination began with `id <= count_pos` in `count_snap`.
 *  An acknowledgement that passes `count_pos` voids the count; then the row's own counters are enough. */
export async function countBacklogs(
  db: Queryable,
  schema: OutboxSchema,
  minEvents = 1000,
): Promise<void> {
  const { rows } = await db.query<{ id: number }>(
    `select d.id from ${schema.destination} d
      where d.kind = 'kafka-at-least-once'
        and (d.count_snap is not null
             or (select count(*) from (select from ${uncountedEvents(schema)} limit $1) uncounted) >= $1)`,
    [minEvents],
  )
  for (const { id } of rows) await countBacklog(db, schema, id)
}

/** One step: all events that this statement sees and no step before it has counted.
 *
 *  `count_low` saves looking at all of them again. As in {@link LateIds}, the count's own updates date transactions: `count_mark_id`
 *  was the last drawn id before `count_mark_xid` was assigned. When no older transaction is open any more, whatever is
 *  still to come has a higher id, and a new mark is set.
 *
 *  A destination that was changed meanwhile (epoch, source_version) or counted by another node (count_snap) is left for the next second;
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
