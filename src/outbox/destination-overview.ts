import {
  countColumns,
  countSources,
  toStatus,
  undecidedErrors,
  type DeliveryError,
  type DeliveryStatus,
  type StatusRow,
} from './counters.ts'
import { oldestEventAt } from './delivery-counts.ts'
import { newestErrors } from './error-list.ts'
import { inPages } from './in-pages.ts'
import { presentNodes } from './node-presence.ts'
import type { OutboxSchema, Queryable } from './schema.ts'

/** What the row of a destination says is settled, to be compared with what it says later. */
export interface SettledState {
  readonly low: string
  readonly position: string
  /** Texts of snapshots. */
  readonly snapshot: string
  readonly roundPosition: string | null
  readonly roundSnapshot: string | null
}

/** How one destination does, for those who watch all of them. */
export interface DestinationOverview extends DeliveryStatus {
  readonly destinationId: number
  readonly reference: string
  readonly topicUrl: string
  /** Reference of the organization that it is limited to; undefined: all. */
  readonly organization: string | undefined
  /** The node that delivers it; undefined for best effort, and while nobody leads. */
  readonly leader: { readonly nodeId: number; readonly name: string } | undefined
  /** At least once: the newest failed attempt, or what was seen of the connection. */
  readonly lastFailure: DeliveryError | undefined
  /** When the oldest event that is not delivered was written. */
  readonly oldestEventAt: Date | undefined
  /** Of the last event that was settled; 0 before the first. */
  readonly lastEventNumber: number
  /** When something was delivered, or an attempt failed. */
  readonly touchedAt: Date | undefined
  /** Kafka topic of the last checkpoint. */
  readonly checkpointTopic: string | undefined
  readonly settled: SettledState
}

interface OverviewRow extends StatusRow {
  readonly id: number
  readonly reference: string
  readonly url: string
  readonly organization: string
  readonly leader_id: number | null
  readonly leader_name: string | null
  readonly failure: { readonly message: string; readonly timestamp: string } | null
  readonly oldest_at: Date | null
  readonly event_no: string
  readonly touched_at: Date | null
  readonly checkpoint_topic: string | null
  readonly low: string
  readonly pos: string
  readonly snap: string
  readonly round_pos: string | null
  readonly round_snap: string | null
}

const pageRows = 500

/** All destinations with their counts. */
export function readDestinationOverviews(
  db: Queryable,
  schema: OutboxSchema,
): Promise<readonly DestinationOverview[]> {
  return inPages(pageRows, async (afterId) => {
    const { rows } = await db.query<OverviewRow>(
      `with present as materialized (select id, name from ${schema.node} where id in (${presentNodes(schema)}))
       select d.id, d.reference, t.url, t.organization, p.id as leader_id, p.name as leader_name, ${countColumns(schema)}, d.started_at, d.exactly_once, d.note,
              d.event_no, d.touched_at, d.checkpoint_topic, d.low::text, d.pos::text, d.snap::text, d.round_pos::text, d.round_snap::text,
              d.last_errors -> 0 as failure, ${oldestEventAt(schema)} as oldest_at,
              ${newestErrors('d.last_errors || n.errors || u.errors')} as errors
         from (select * from ${schema.destination} where id > $1 order by id limit ${pageRows}) d
         join ${schema.topic} t on t.id = d.topic_id
         left join present p on p.id = d.leader
         ${countSources(schema)}, lateral (${undecidedErrors(schema)}) u
        order by d.id`,
      [afterId],
    )
    return rows.map(toOverview)
  })
}

function toOverview(row: OverviewRow): DestinationOverview {
  return {
    ...toStatus(row),
    destinationId: row.id,
    reference: row.reference,
    topicUrl: row.url,
    organization: row.organization === '' ? undefined : row.organization,
    leader:
      row.leader_id === null ? undefined : { nodeId: row.leader_id, name: row.leader_name ?? '' },
    lastFailure: row.failure
      ? { message: row.failure.message, timestamp: new Date(row.failure.timestamp) }
      : undefined,
    oldestEventAt: row.oldest_at ?? undefined,
    lastEventNumber: Number(row.event_no),
    touchedAt: row.touched_at ?? undefined,
    checkpointTopic: row.checkpoint_topic ?? undefined,
    settled: {
      low: row.low,
      position: row.pos,
      snapshot: row.snap,
      roundPosition: row.round_pos,
      roundSnapshot: row.round_snap,
    },
  }
}
