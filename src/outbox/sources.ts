import type { OutboxSchema, Queryable } from './schema.ts'
import { parseSnapshot, type Snapshot } from './snapshot.ts'

/** One stretch of one topic's events that belongs to a destination.
 *
 *  **Why stretches.** A destination that goes from topic A to topic B must get what was selected by A before, and by B from then on.
 *  Nodes learn of the change within one lease, and transactions that have matched by then commit when they like:
 *
 *      node 1   PUT A -> B  commit ........ lease over, until_xid is set, answer
 *      node 2         write, matched against A ....................... commit
 *
 *  So for the time of the lease both are read, `B` from the snapshot of the change on (`since`), `A` up to the transaction number that is
 *  drawn when every node knows (`untilXid`). The event of node 2 has a smaller number and is found whenever it commits; what
 *  others still select by `A` has a larger one and is not the destination's. A destination that comes back to `A`
 *  gets another stretch, which begins (`fromXid`) where the former one ended: no event is in two. */
export interface Source {
  readonly topicId: number
  readonly topicUrl: string
  /** Events in it were before this destination's time; null: the cursor says what was. */
  readonly since: Snapshot | null
  readonly fromXid: string
  readonly untilXid: string | null
}

/** A source that is not limited by anything but the cursor. */
export function isWholeTopic({ since, fromXid, untilXid }: Source): boolean {
  return since === null && fromXid === '0' && untilXid === null
}

/** SQL condition: the event `e` lies in the stretch of the source `s`, whose topic it is of. */
export const isInStretch = `e.xid >= s.from_xid and (s.until_xid is null or e.xid < s.until_xid)
  and (s.since is null or not pg_visible_in_snapshot(e.xid, s.since))`

/** Columns of `Source` for a `select` of sources `s` and topics `t`, as JSON objects. */
export const sourceJson = `json_build_object('topicId', s.topic_id, 'topicUrl', t.url, 'since', s.since::text,
  'fromXid', s.from_xid::text, 'untilXid', s.until_xid::text)`

export interface SourceJson {
  readonly topicId: number
  readonly topicUrl: string
  readonly since: string | null
  readonly fromXid: string
  readonly untilXid: string | null
}

export function parseSource(json: SourceJson): Source {
  return { ...json, since: json.since === null ? null : parseSnapshot(json.since) }
}

/** Makes a destination read another topic from now on, in the transaction of the change. Its row must be locked already: then the
 *  snapshot that is taken here contains every round that was opened, and no event of the new topic falls into one of them. */
export async function changeSource(
  tx: Queryable,
  schema: OutboxSchema,
  destinationId: number,
  topicId: number,
): Promise<void> {
  // Back within the lease: the stretch is not closed yet and goes on.
  await tx.query(
    `with reopened as (
       update ${schema.source} set left_at = null
        where destination_id = $1 and topic_id = $2 and until_xid is null returning 1),
     opened as (
       insert into ${schema.source} (destination_id, topic_id, since, from_xid)
       select $1, $2, pg_current_snapshot(),
              coalesce((select until_xid from ${schema.source} where destination_id = $1 and topic_id = $2
                         order by until_xid desc limit 1), '0')
        where not exists (select from reopened))
     update ${schema.source} set left_at = clock_timestamp()
      where destination_id = $1 and topic_id <> $2 and left_at is null`,
    [destinationId, topicId],
  )
  await tx.query(
    `update ${schema.destination} set topic_id = $2, source_version = source_version + 1 where id = $1`,
    [destinationId, topicId],
  )
}

/** Ends the stretches of topics that were left, once every node knows: whatever matched before has a smaller transaction number.
 *  @param leftForSeconds only those left so long ago
 *  @returns references of the destinations whose sources have changed */
export async function closeLeftSources(
  db: Queryable,
  schema: OutboxSchema,
  leftForSeconds: number,
): Promise<readonly string[]> {
  const { rows } = await db.query<{ reference: string }>(
    `with closed as (
       update ${schema.source} set until_xid = pg_current_xact_id()
        where until_xid is null and left_at < clock_timestamp() - make_interval(secs => $1)
       returning destination_id),
     destinations as (
       update ${schema.destination} set source_version = source_version + 1
        where id in (select destination_id from closed) returning reference),
     told as (insert into ${schema.registryChange} (reference) select reference from destinations)
     select reference from destinations`,
    [leftForSeconds],
  )
  return rows.map(({ reference }) => reference)
}

/** Forgets stretches that are closed and delivered: every transaction that could write to them has ended, and nothing of them is unsettled.
 *  Cursors that still hold one read nothing from it. Index: `source_destination_id`. */
export async function dropDrainedSources(db: Queryable, schema: OutboxSchema): Promise<void> {
  await db.query(
    `delete from ${schema.source} s using ${schema.destination} d
      where d.id = s.destination_id and s.until_xid <= pg_snapshot_xmin(d.snap)
        and (d.count_snap is null or s.until_xid <= pg_snapshot_xmin(d.count_snap))
        and not exists (select from ${schema.event} e
                         where e.topic_id = s.topic_id and e.id > d.pos and ${isInStretch})`,
  )
}
