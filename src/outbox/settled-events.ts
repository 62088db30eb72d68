import { isSettled } from './cursor-row.ts'
import type { SettledState } from './destination-overview.ts'
import { toListedChange, type ChangeRow, type ListedChange } from './event-page.ts'
import type { OutboxSchema, Queryable } from './schema.ts'
import { isInStretch } from './sources.ts'

/** An event that was settled just now, without resource content. */
export interface SettledEvent extends ListedChange {
  readonly destinationId: number
  readonly topicUrl: string
  /** Reference of the organization whose events the queue is limited to; '' for all. */
  readonly organization: string
}

export interface SettledSince {
  readonly destinationId: number
  /** What the row said before. */
  readonly settled: SettledState
}

interface Row extends ChangeRow {
  readonly destination_id: number
  readonly url: string
  readonly organization: string
}

/** What these destinations have settled since their rows were as given: of each the newest `limit`, in the order of their ids.
 *  Index: `event_topic_id_id`. */
export async function readSettledSince(
  db: Queryable,
  schema: OutboxSchema,
  since: readonly SettledSince[],
  limit: number,
): Promise<readonly SettledEvent[]> {
  if (since.length === 0) return []
  const { rows } = await db.query<Row>(
    `select d.id as destination_id, e.* from jsonb_to_recordset($1::jsonb)
              as b (id int, low bigint, pos bigint, snap pg_snapshot, round_pos bigint, round_snap pg_snapshot)
       join ${schema.destination} d on d.id = b.id,
            lateral (
              select t.url, t.organization, e.id, e.interaction, e.resource_type, e.resource_id, e.version_id, e.at
                from ${schema.source} s join ${schema.topic} t on t.id = s.topic_id, lateral (
                  select e.* from ${schema.event} e
                   where e.topic_id = s.topic_id and e.id > b.low and ${isInStretch}
                     and ${isSettled} and not ${isSettled.replaceAll(/\bd\./g, 'b.')}
                   order by e.id desc limit $2) e
               where s.destination_id = d.id order by e.id desc limit $2) e
      order by e.id`,
    [
      JSON.stringify(
        since.map(({ destinationId, settled }) => ({
          id: destinationId,
          low: settled.low,
          pos: settled.position,
          snap: settled.snapshot,
          round_pos: settled.roundPosition,
          round_snap: settled.roundSnapshot,
        })),
      ),
      limit,
    ],
  )
  return rows.map((row) => ({
    ...toListedChange(row),
    destinationId: row.destination_id,
    topicUrl: row.url,
    organization: row.organization,
  }))
}
