import { countColumns, countSources, toCounts, type CountsRow } from './counters.ts'
import { isSettled } from './cursor-row.ts'
import type { DestinationKind } from './destination-row.ts'
import type { EventCounts } from './event-counts.ts'
import { inPages } from './in-pages.ts'
import type { OutboxSchema, Queryable } from './schema.ts'
import { isInStretch } from './sources.ts'

/** The counts of $status of one destination, and the age of its queue. */
export interface DeliveryCounts extends EventCounts {
  readonly destinationId: number
  readonly kind: DestinationKind
  /** Seconds since the first unsettled event was written; 0 when there is none. */
  readonly oldestEventAge: number
}

interface Row extends CountsRow {
  readonly id: number
  readonly oldest_age: number
}

const pageRows = 500

/** Reads the counts of all destinations. */
export function readDeliveryCounts(
  db: Queryable,
  schema: OutboxSchema,
): Promise<readonly DeliveryCounts[]> {
  return inPages(pageRows, async (afterId) => {
    const { rows } = await db.query<Row>(
      `select d.id, ${countColumns(schema)}, ${oldestAge(schema)} as oldest_age
         from (select * from ${schema.destination} where id > $1 order by id limit ${pageRows}) d ${countSources(schema)}
        order by d.id`,
      [afterId],
    )
    return rows.map((row) => ({
      ...toCounts(row),
      destinationId: row.id,
      kind: row.kind,
      oldestEventAge: row.oldest_age,
    }))
  })
}

/** SQL: of the destination `d`. */
function oldestAge(schema: OutboxSchema): string {
  return `coalesce(greatest(0, extract(epoch from clock_timestamp() - ${oldestEventAt(schema)})::float8), 0)`
}

/** SQL: when the first unsettled event of the destination `d` was written; null when there is none. Events that are settled already are passed from
 *  `low` on; `limit 1` makes the planner walk the index `event_topic_id_id`. */
export function oldestEventAt(schema: OutboxSchema): string {
  return `(select min(f.at)
      from ${schema.source} s, lateral (
        select e.at from ${schema.event} e
         where e.topic_id = s.topic_id and e.id > d.low and ${isInStretch} and not ${isSettled}
         order by e.id limit 1) f
     where s.destination_id = d.id and d.kind = 'kafka-at-least-once')`
}
