import { heldDestinations } from './destination-locks.ts'
import type { OutboxSchema, Queryable } from './schema.ts'

/** One stretch of one topic's events that belongs to a destination.
 *
 *  **Why stretches.** A destination that goes from topic A to topic B must get each change once: by A from nodes that do not know of it
 *  yet, by B from the others. Both write events of A and B all the time, because other destinations read them:
 *
 *      node 1   PUT A -> B  commit ......... write: A and B, knows the move
 *      node 2          write: A and B, does not know ...................... commit
 *
 *  So whoever knows of a move writes its number to the events of both topics. An event of A belongs to the destination when its writer
 *  did not know, one of B when it did.
 *
 *  **How it ends.** When every node knows, the move is *closed* with a transaction number (`fromXid` of B, `untilXid` of A): whoever did
 *  not know has a smaller one. When all transactions below that number have ended, the move is forgotten and events are written
 *  without it: from then on the number alone tells. Before that it would not, because a host's transaction may have its number long
 *  before it matches. */
export interface Source {
  readonly topicId: number
  readonly topicUrl: string
  /** The last id that was drawn before the destination came to this topic. */
  readonly fromId: string
  readonly joinedMove: number | null
  /** Null until the move is closed. */
  readonly fromXid: string | null
  readonly leftMove: number | null
  readonly untilXid: string | null
}

/** A source that nothing but the cursor limits. */
export function isWholeTopic({ joinedMove, leftMove }: Source): boolean {
  return joinedMove === null && leftMove === null
}

/** SQL condition: the event `e`, of the topic of the source `s`, lies in its stretch. */
export const isInStretch = `e.id > s.from_id and (e.xid >= s.from_xid or s.joined_move = any (e.known_moves))
  and (s.until_xid is null or e.xid < s.until_xid) and (s.left_move = any (e.known_moves)) is not true`

/** SQL condition: the destination of the source `s` gets what is moved to the log now. */
export function isReading(s: string): string {
  return `${s}.left_move is null and ${s}.until_xid is null`
}

/** SQL condition: somebody gets what is moved to the log now from the queue of the source `s`. */
export function hasReader(schema: OutboxSchema): string {
  return `exists (select from ${schema.source} r join ${schema.destination} rd on rd.id = r.destination_id
                   where r.topic_id = s.topic_id and rd.kind = 'kafka-at-least-once' and ${isReading('r')})`
}

/** A `Source` as JSON, in a `select` of sources `s` and topics `t`. */
export const sourceJson = `json_build_object('topicId', s.topic_id, 'topicUrl', t.url, 'fromId', s.from_id::text,
  'joinedMove', s.joined_move, 'fromXid', s.from_xid::text, 'leftMove', s.left_move, 'untilXid', s.until_xid::text)`

/** SQL: the numbers of the moves from and to each topic that are under way, as rows of `topic_id` and `moves`. */
export function movesOfTopics(schema: OutboxSchema): string {
  return `select s.topic_id, array_agg(distinct m.id order by m.id) as moves
            from ${schema.move} m join ${schema.source} s on m.id in (s.joined_move, s.left_move)
           group by s.topic_id`
}

/** Makes a destination read another topic from now on, in the transaction of the change. Its row must be locked.
 *  @returns the number of the move, for {@link closeMoves} */
export async function changeSource(
  tx: Queryable,
  schema: OutboxSchema,
  destinationId: number,
  topicId: number,
): Promise<number> {
  const { rows } = await tx.query<{ id: number }>(
    `insert into ${schema.move} (destination_id) values ($1) returning id`,
    [destinationId],
  )
  const [move] = rows
  if (!move) throw new Error('the move was not written')
  await tx.query(
    `update ${schema.source} set left_move = $2, left_at = clock_timestamp()
      where destination_id = $1 and left_move is null and until_xid is null`,
    [destinationId, move.id],
  )
  await tx.query(
    `insert into ${schema.source} (destination_id, topic_id, from_id, joined_move, from_xid)
     values ($1, $2, ${schema.lastEventId}, $3, null)`,
    [destinationId, topicId, move.id],
  )
  await tx.query(
    `update ${schema.destination} set topic_id = $2, source_version = source_version + 1 where id = $1`,
    [destinationId, topicId],
  )
  return move.id
}

/** Closes moves that every node knows of. Outside of a transaction; again does no harm.
 *  `read committed`, whatever the database's default is: an acknowledgement at the same time must not make it fail.
 *  The row of the destination is locked first: a host that deletes it waits for its moves and would be waited for. */
export async function closeMoves(
  db: Queryable,
  schema: OutboxSchema,
  moves: readonly number[],
): Promise<void> {
  if (moves.length === 0) return
  const ids = `(${moves.join(',')})`
  await db.query(
    `set transaction isolation level read committed;
     select from ${schema.destination} where id in (select destination_id from ${schema.move} where id in ${ids})
      order by id for no key update;
     with closed as (
       update ${schema.move} set closed_xid = pg_current_xact_id() where id in ${ids} and closed_xid is null
       returning id, destination_id),
     limited as (
       update ${schema.source}
          set from_xid = case when joined_move in (select id from closed) then pg_current_xact_id() else from_xid end,
              until_xid = case when left_move in (select id from closed) then pg_current_xact_id() else until_xid end,
              left_at = case when left_move in (select id from closed) then clock_timestamp() else left_at end
        where joined_move in (select id from closed) or left_move in (select id from closed))
     update ${schema.destination} set source_version = source_version + 1
      where id in (select destination_id from closed)`,
  )
}

/** Forgets closed moves when whoever did not know of them has ended: events are written without them then. Call it each second, outside
 *  of a transaction. */
export async function forgetMoves(db: Queryable, schema: OutboxSchema): Promise<void> {
  const isForgotten = 'm.closed_xid <= pg_snapshot_xmin(pg_current_snapshot())'
  await db.query(
    `with held as materialized (${heldDestinations(schema, `select destination_id from ${schema.move} m where ${isForgotten}`)}),
     forgotten as (
       delete from ${schema.move} m using held where m.destination_id = held.id and ${isForgotten} returning m.destination_id)
     insert into ${schema.registryChange} (reference)
     select distinct d.reference from forgotten f join ${schema.destination} d on d.id = f.destination_id`,
  )
}

/** Closes moves that were committed and seen so long ago: the node that should have closed them has died or failed. */
export async function closeAbandonedMoves(
  db: Queryable,
  schema: OutboxSchema,
  seenForSeconds: number,
): Promise<void> {
  const { rows } = await db.query<{ id: number }>(
    `select id from ${schema.move}
      where closed_xid is null and seen_at < clock_timestamp() - make_interval(secs => $1)`,
    [seenForSeconds],
  )
  await closeMoves(
    db,
    schema,
    rows.map(({ id }) => id),
  )
  const isUnseen = 'm.closed_xid is null and m.seen_at is null'
  await db.query(
    `with held as materialized (${heldDestinations(schema, `select destination_id from ${schema.move} m where ${isUnseen}`)})
     update ${schema.move} m set seen_at = clock_timestamp() from held where m.destination_id = held.id and ${isUnseen}`,
  )
}

/** Forgets stretches that are closed and settled: no transaction can write to them any more, and no event of them waits, is to be counted
 *  or undecided. Cursors that still hold one read nothing from it. Index: `source_destination_id`. */
export async function dropDrainedSources(db: Queryable, schema: OutboxSchema): Promise<void> {
  await db.query(
    `with held as materialized (${heldDestinations(schema, `select destination_id from ${schema.source} where until_xid is not null`)})
     delete from ${schema.source} s using held join ${schema.destination} d using (id)
      where d.id = s.destination_id and s.until_xid <= pg_snapshot_xmin(pg_current_snapshot())
        and not exists (
          select from ${schema.event} e
           where e.topic_id = s.topic_id and ${isInStretch}
             and not (e.id <= d.pos and pg_visible_in_snapshot(e.xid, d.snap)
                      and (d.count_snap is null or e.id <= d.count_pos and pg_visible_in_snapshot(e.xid, d.count_snap))))
        and not exists (
          select from ${schema.undecidedEvent} u
           where u.topic_id = s.topic_id and (u.at <= s.left_at or not ${hasReader(schema)}))`,
  )
}

/** A limited stretch before a restore, and the number that its events get. */
interface RestoredSource {
  readonly id: string
  readonly move: number
}

/** Before the transaction numbers of a dump are replaced: names the events of limited stretches, so that they are still told apart. */
export async function markStretches(
  client: Queryable,
  schema: OutboxSchema,
): Promise<readonly RestoredSource[]> {
  const { rows } = await client.query<{ id: string; destination_id: number }>(
    `select id, destination_id from ${schema.source} where joined_move is not null or left_move is not null order by id`,
  )
  const marked: RestoredSource[] = []
  for (const { id, destination_id: destinationId } of rows) {
    const moves = await client.query<{ id: number }>(
      `insert into ${schema.move} (destination_id) values ($1) returning id`,
      [destinationId],
    )
    const move = moves.rows[0]?.id ?? 0
    await client.query(
      `update ${schema.event} e set known_moves = coalesce(e.known_moves, '{}') || $2::int
         from ${schema.source} s where s.id = $1 and e.topic_id = s.topic_id and ${isInStretch}`,
      [id, move],
    )
    marked.push({ id, move })
  }
  return marked
}

/** After it: a stretch has the events that were named, and when the destination had not left it, those to come. */
export async function restoreStretches(
  client: Queryable,
  schema: OutboxSchema,
  marked: readonly RestoredSource[],
): Promise<void> {
  const next = '(pg_current_xact_id()::text::bigint + 1)::text::xid8'
  for (const { id, move } of marked) {
    await client.query(
      `update ${schema.source}
          set joined_move = $2, from_xid = ${next},
              until_xid = case when left_move is not null or until_xid is not null then ${next} end, left_move = null
        where id = $1`,
      [id, move],
    )
  }
  await client.query(`delete from ${schema.move}`)
}
