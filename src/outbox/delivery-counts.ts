import { countColumns, countSources, type DeliveryStatus } from './counters.ts'
import { isSettled } from './cursor-row.ts'
import { readInPages } from './destination-pages.ts'
import type { DestinationKind } from './destination-row.ts'
import type { OutboxSchema, Queryable } from './schema.ts'
import { isInStretch } from './sources.ts'

/** The counts of $status of one destination, and the age of its queue. */
export interface DeliveryCounts extends Pick<
  DeliveryStatus,
  | 'delivered'
  | 'failedAttempts'
  | 'inProcess'
  | 'queued'
  | 'dead'
  | 'undecided'
  | 'notKept'
  | 'notFired'
  | 'discarded'
  | 'lost'
> {
  readonly destinationId: number
  readonly kind: DestinationKind
  /** Seconds since the first unsettled event was written; 0 when there is none. */
  readonly oldestEventAge: number
}

/** As PostgreSQL gives it: a bigint is a text. */
type CountsRow = { readonly [Key in keyof DeliveryCounts]: string | number } & {
  readonly kind: DestinationKind
}

const pageRows = 500

/** Reads the counts of all destinations, in pages. */
export async function readDeliveryCounts(
  db: Queryable,
  schema: OutboxSchema,
): Promise<readonly DeliveryCounts[]> {
  return readInPages(pageRows, async (afterId) => {
    const { rows } = await db.query<CountsRow>(
      `select x.id as "destinationId", x.kind, x.delivered, x.failed_attempts as "failedAttempts", x.in_process as "inProcess", x.queued,
              x.dead, x.undecided, x.not_kept as "notKept", x.not_fired as "notFired", x.discarded, x.lost, x.oldest_age as "oldestEventAge"
         from (select d.id, ${countColumns(schema)}, ${oldestAge(schema)} as oldest_age
                 from (select * from ${schema.destination} where id > $1 order by id limit ${pageRows}) d ${countSources(schema)}) x
        order by x.id`,
      [afterId],
    )
    return rows.map(toCounts)
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

function toCounts({ kind, ...counts }: CountsRow): DeliveryCounts {
  const numbers = Object.entries(counts).map(([name, value]) => [name, Number(value)])
  return { ...(Object.fromEntries(numbers) as Omit<DeliveryCounts, 'kind'>), kind }
}
