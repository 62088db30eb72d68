import { heldDestinations } from './destination-locks.ts'
import type { OutboxSchema, Queryable } from './schema.ts'
import { hasReader, isReading } from './sources.ts'

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
    `with gone as (delete from ${schema.undecidedOverflow} returning topic_id, at, count),
     lost as materialized (
       select d.id, sum(u.count) as count, max(u.at) as at from ${schema.destination} d join gone u on ${concerns(schema)}
        where d.kind = 'kafka-at-least-once' group by d.id),
     held as materialized (${heldDestinations(schema, 'select id from lost')})
     insert into ${schema.undecidedCounter} as c (destination_id, not_kept, not_kept_at)
     select id, count, at from lost join held using (id) order by id
     on conflict (destination_id) do update
       set not_kept = c.not_kept + excluded.not_kept, not_kept_at = greatest(c.not_kept_at, excluded.not_kept_at)`,
  )
}

/** SQL condition: what was not kept (`u`) was lost to the destination `d`, which was there and read its queue. */
export function concerns(schema: OutboxSchema): string {
  return `u.at >= d.started_at and exists (
    select from ${schema.source} s where s.destination_id = d.id and s.topic_id = u.topic_id
       and (s.left_at is null or u.at <= s.left_at))`
}

/** References of the other destinations that some undecided events of a destination are counted for: what becomes of these concerns them, too. */
export async function sharersOfUndecided(
  db: Queryable,
  schema: OutboxSchema,
  destinationId: number,
): Promise<readonly string[]> {
  const own = countedQueues(schema, 's.destination_id = $1')
  const shared = countedQueues(schema, `s.topic_id in (select own.topic_id from (${own}) own)`)
  const { rows } = await db.query<{ reference: string }>(
    `select distinct d.reference from (${shared}) q join ${schema.destination} d on d.id = q.destination_id
      where d.id <> $1 order by d.reference`,
    [destinationId],
  )
  return rows.map(({ reference }) => reference)
}

/** SQL: at-least-once destinations and the queues whose undecided events are counted for them, as `destination_id` and `topic_id`, each pair once.
 *
 *  These are the queues that they read: what fires now is delivered to whoever reads then, however old it is. And queues that they have left and nobody
 *  reads any more: they would get it if they came back, and nobody else would tell of it.
 *  @param condition on the source `s`, to look at few of them */
export function countedQueues(schema: OutboxSchema, condition: string): string {
  return `select distinct s.destination_id, s.topic_id from ${schema.source} s join ${schema.destination} sd on sd.id = s.destination_id
           where sd.kind = 'kafka-at-least-once' and ${condition} and (${isReading('s')} or not ${hasReader(schema)})`
}
