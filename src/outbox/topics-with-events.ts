import type { OutboxSchema, Queryable } from './schema.ts'
import type { Snapshot } from './snapshot.ts'
import type { Source } from './sources.ts'

/** Where a cursor has come to rest, by topic: whatever is still to come for it is an event of one of these topics with a higher id. */
export type RestingPlace = ReadonlyMap<number, bigint>

/** Where a cursor rests that has read everything of these sources that `settled` contains, the last of it at `position`. */
export function restingPlace(
  sources: readonly Source[],
  position: bigint,
  { xmin }: Snapshot,
): RestingPlace {
  const place = new Map<number, bigint>()
  for (const { topicId, fromId, untilXid } of sources) {
    // Whoever could write to it has ended. Others go on writing to the topic.
    if (untilXid !== null && BigInt(untilXid) <= xmin) continue
    const afterId = BigInt(fromId) > position ? BigInt(fromId) : position
    lower(place, topicId, afterId)
  }
  return place
}

function lower(place: Map<number, bigint>, topicId: number, afterId: bigint): void {
  const other = place.get(topicId)
  if (other === undefined || afterId < other) place.set(topicId, afterId)
}

/** The topics of these places that have an event behind one of them. One statement for thousands of topics.
 *  Index: `event_topic_id_id`; `limit 1` keeps the planner from joining the topics with the whole log. */
export async function topicsWithEvents(
  db: Queryable,
  schema: OutboxSchema,
  places: readonly RestingPlace[],
): Promise<ReadonlySet<number>> {
  const afterIds = lowestByTopic(places)
  if (afterIds.size === 0) return new Set()
  const { rows } = await db.query<{ topic_id: number }>(
    `select t.topic_id from unnest($1::int[], $2::bigint[]) t (topic_id, after_id),
            lateral (select from ${schema.event} e where e.topic_id = t.topic_id and e.id > t.after_id limit 1) e`,
    [[...afterIds.keys()], [...afterIds.values()].map(String)],
  )
  return new Set(rows.map(({ topic_id: topicId }) => topicId))
}

function lowestByTopic(places: readonly RestingPlace[]): ReadonlyMap<number, bigint> {
  const lowest = new Map<number, bigint>()
  for (const place of places) {
    for (const [topicId, afterId] of place) lower(lowest, topicId, afterId)
  }
  return lowest
}
