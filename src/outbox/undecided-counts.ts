import type { OutboxSchema, Queryable } from './schema.ts'

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
     select destination_id, sum(count), max(at) from (${concernedDestinations(schema, 'gone')}) g group by destination_id order by destination_id
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

/** SQL: the queues that the destination `d` reads or has read, each once, and until when: for joins with many events. */
export function queuesRead(schema: OutboxSchema): string {
  return `select topic_id, max(coalesce(left_at, 'infinity')) as until from ${schema.source}
           where destination_id = d.id group by topic_id`
}

/** SQL: rows of `from`, once for each at-least-once destination that they concern. */
export function concernedDestinations(schema: OutboxSchema, from: string): string {
  return `select d.id as destination_id, u.* from ${from} u
            join (select destination_id, topic_id, max(coalesce(left_at, 'infinity')) as until
                    from ${schema.source} group by destination_id, topic_id) s on s.topic_id = u.topic_id
            join ${schema.destination} d on d.id = s.destination_id
           where d.kind = 'kafka-at-least-once' and u.at between d.started_at and s.until`
}
