import { uncountedEvents } from './backlog-count.ts'
import { newestErrors } from './error-list.ts'
import type { DestinationKind } from './destination-row.ts'
import type { EventCounts } from './event-counts.ts'
import { literal, type OutboxSchema, type Queryable } from './schema.ts'
import { heldDestinations } from './destination-locks.ts'
import { concerns, countedQueues } from './undecided-counts.ts'

export interface DeliveryError {
  readonly message: string
  readonly timestamp: Date
}

/** How delivery of one destination goes, over all nodes and restarts. */
export interface DeliveryStatus extends EventCounts {
  readonly kind: DestinationKind
  /** At least once: whether Kafka keeps checkpoints, so that a crash sends nothing twice; undefined before the first delivery. */
  readonly exactlyOnce: boolean | undefined
  /** Why not. */
  readonly exactlyOnceFault: string | undefined
  readonly startedAt: Date
  /** Newest first, at most five. */
  readonly lastErrors: readonly DeliveryError[]
}

/** A node that has not written its counters for so long is taken for dead; it writes them each second. */
const silentNodeSeconds = 30

/** What one process has done for one best-effort destination since it started. */
export interface BestEffortCounts {
  readonly destinationId: number
  readonly delivered: number
  readonly lost: number
  /** Of those lost: the criteria could not be decided.
   *  @default 0 */
  readonly undecided?: number
  readonly inProcess: number
  /** Newest first.
   *  @default [] */
  readonly lastErrors?: readonly DeliveryError[]
}

/** What {@link countColumns} selects. */
export interface CountsRow {
  readonly kind: DestinationKind
  readonly delivered: string
  readonly failed_attempts: string
  readonly in_process: string
  readonly queued: string
  readonly dead: string
  readonly undecided: string
  readonly not_kept: string
  readonly not_fired: string
  readonly discarded: string
  readonly lost: string
}

export interface StatusRow extends CountsRow {
  readonly exactly_once: boolean | null
  readonly note: string | null
  readonly started_at: Date
  readonly errors: readonly { message: string; timestamp: string }[]
}

/** Reads the counters of one destination from any node; undefined when there is no such destination.
 *
 *  `queued` is exact: while the queue is short its rows are counted, a long one is counted up to a mark from time to time
 *  (`countBacklogs`) and only the rows beyond the mark are counted here. Index: `event_topic_id_id`. */
export async function readDeliveryStatus(
  db: Queryable,
  schema: OutboxSchema,
  reference: string,
): Promise<DeliveryStatus | undefined> {
  const { rows } = await db.query<StatusRow>(
    `select ${countColumns(schema)}, d.started_at, d.exactly_once, d.note,
            ${newestErrors('d.last_errors || n.errors || u.errors')} as errors
       from ${schema.destination} d ${countSources(schema)}, lateral (${undecidedErrors(schema)}) u
      where d.reference = $1`,
    [reference],
  )
  const [row] = rows
  return row && toStatus(row)
}

/** SQL: the counts of the destination `d`, out of what {@link countSources} joins. */
export function countColumns(schema: OutboxSchema): string {
  return `d.kind, d.delivered + d.backfilled + n.delivered as delivered, d.failed_attempts, d.in_process + n.in_process as in_process, d.dead - d.dead_discarded as dead, n.lost,
            case when d.kind = 'kafka-at-least-once' then
              case when d.count_snap is null then 0 else d.counted - d.delivered - d.dead end
              + (select count(*) from ${uncountedEvents(schema)}) - d.in_process
            else 0 end as queued,
            case when d.kind = 'kafka-at-least-once' then
              (select count(*) from (${ownQueues(schema)}) q join ${schema.undecidedEvent} u using (topic_id))
            else n.undecided end as undecided,
            coalesce(c.not_kept, 0) + o.count as not_kept, coalesce(c.not_fired, 0) as not_fired, coalesce(c.discarded, 0) + d.dead_discarded as discarded`
}

/** SQL after `from … d`. */
export function countSources(schema: OutboxSchema): string {
  return `left join ${schema.undecidedCounter} c on c.destination_id = d.id,
            lateral (${nodeSums(schema)}) n, lateral (${notAddedUp(schema)}) o`
}

/** Writes absolute counts and the errors of the process `nodeId` (a new name at each start). Call it each second. */
export async function flushBestEffortCounters(
  db: Queryable,
  schema: OutboxSchema,
  nodeId: string,
  counts: readonly BestEffortCounts[],
): Promise<void> {
  if (counts.length === 0) return
  const rows = counts.map(
    ({ destinationId, delivered, lost, undecided = 0, inProcess, lastErrors = [] }) => ({
      destination_id: destinationId,
      delivered,
      lost,
      undecided,
      in_process: inProcess,
      last_errors: lastErrors,
    }),
  )
  // The join drops counts of destinations that were deleted meanwhile.
  await db.query(
    `with r as (
       select * from jsonb_to_recordset($2::jsonb)
         as r (destination_id int, delivered bigint, lost bigint, undecided bigint, in_process bigint, last_errors jsonb)),
     held as materialized (${heldDestinations(schema, 'select destination_id from r')})
     insert into ${schema.bestEffortCounter} as c (destination_id, node_id, delivered, lost, undecided, in_process, last_errors)
     select r.destination_id, $1, r.delivered, r.lost, r.undecided, r.in_process, r.last_errors
       from r join held d on d.id = r.destination_id order by r.destination_id
     on conflict (destination_id, node_id) do update
       set delivered = excluded.delivered, lost = excluded.lost, undecided = excluded.undecided, in_process = excluded.in_process,
           last_errors = excluded.last_errors, seen_at = clock_timestamp()`,
    [nodeId, JSON.stringify(rows)],
  )
}

/** Best-effort counts of the destination `d` over all nodes. What a dead node had in memory is lost. */
function nodeSums(schema: OutboxSchema): string {
  const isAlive = `c.seen_at > clock_timestamp() - interval '${silentNodeSeconds} seconds'`
  return `select coalesce(sum(c.delivered), 0) as delivered, coalesce(sum(c.undecided), 0) as undecided,
            coalesce(sum(c.in_process) filter (where ${isAlive}), 0) as in_process,
            coalesce(sum(c.lost), 0) + coalesce(sum(c.in_process) filter (where not ${isAlive}), 0) as lost,
            coalesce((select jsonb_agg(e) from ${schema.bestEffortCounter} x, jsonb_array_elements(x.last_errors) e
                       where x.destination_id = d.id), '[]') as errors
       from ${schema.bestEffortCounter} c where c.destination_id = d.id`
}

/** What was not kept for the destination `d` since it was added up last. */
function notAddedUp(schema: OutboxSchema): string {
  return `select coalesce(sum(u.count), 0) as count, max(u.at) as at
            from ${schema.undecidedOverflow} u where d.kind = 'kafka-at-least-once' and ${concerns(schema)}`
}

/** The queues whose undecided events are counted for the destination `d`. */
function ownQueues(schema: OutboxSchema): string {
  return countedQueues(schema, 's.destination_id = d.id')
}

/** Why the newest undecided event of the destination `d` is so, with the version of its resource, and that some were not kept (`c`, `o`). Index: `undecided_event_topic_id`. */
export function undecidedErrors(schema: OutboxSchema): string {
  const resource = `u.resource_type || '/' || u.resource_id || coalesce('/_history/' || u.version_id, '')`
  const newest = `select u.error, u.at from (${ownQueues(schema)}) q, lateral (
      select ${resource} || ': ' || u.error as error, u.at from ${schema.undecidedEvent} u where u.topic_id = q.topic_id order by u.at desc limit 1) u`
  const notKept = `select ${literal('Too many events are undecided; further ones are only counted.')}, greatest(c.not_kept_at, o.at)
    where greatest(c.not_kept_at, o.at) is not null`
  return `select coalesce(jsonb_agg(jsonb_build_object('message', e.error, 'timestamp', e.at)), '[]') as errors
            from (${newest} union all ${notKept}) e`
}

export function toCounts(row: CountsRow): EventCounts {
  return {
    delivered: Number(row.delivered),
    failedAttempts: Number(row.failed_attempts),
    inProcess: Number(row.in_process),
    queued: Number(row.queued),
    dead: Number(row.dead),
    undecided: Number(row.undecided),
    notKept: Number(row.not_kept),
    notFired: Number(row.not_fired),
    discarded: Number(row.discarded),
    lost: Number(row.lost),
  }
}

export function toStatus(row: StatusRow): DeliveryStatus {
  return {
    ...toCounts(row),
    kind: row.kind,
    exactlyOnce: row.exactly_once ?? undefined,
    exactlyOnceFault: row.note ?? undefined,
    startedAt: row.started_at,
    lastErrors: row.errors.map(({ message, timestamp }) => ({
      message,
      timestamp: new Date(timestamp),
    })),
  }
}
