import { heldDestinations } from './destination-locks.ts'
import { isInStretch } from './sources.ts'
import { literal, lockKeys, slotCount, type OutboxSchema, type Queryable } from './schema.ts'

/** Settled events are kept for so long at least, when their slot is not emptied before. */
export const settledMinutes = 10
const maxDeletedEvents = 10_000

/** Empties the slots of the log in which everything is settled, except the one being written and the next. Safe on all nodes at
 *  any time; call it each second, outside of a transaction.
 *
 *  TRUNCATE costs the same for any number of rows, writes next to nothing to the WAL and leaves nothing for VACUUM; a DELETE of a row
 *  writes 2 KB after a checkpoint. */
export async function cleanOutbox(db: Queryable, schema: OutboxSchema): Promise<void> {
  const { rows } = await db.query<{ last_id: string }>(
    `select ${schema.lastEventId}::text as last_id`,
  )
  const written = Math.floor(Number(rows[0]?.last_id ?? 0) / schema.slotEvents) % slotCount
  for (let ahead = 2; ahead < slotCount; ahead++) {
    await emptySlot(db, schema, schema.slot((written + ahead) % slotCount))
  }
}

/** The exclusive lock waits for transactions that have written to the slot, so nothing uncommitted is in it when it is judged. A
 *  transaction that has drawn an id of this slot but has not come to its table yet inserts after the TRUNCATE.
 *  `read committed`, whatever the database's default is: a snapshot from before the lock would not show what was committed meanwhile.
 *  `lock_timeout`: readers queue up behind a waiting exclusive lock, so it gives up quickly (also before pg_dump). */
async function emptySlot(db: Queryable, schema: OutboxSchema, slot: string): Promise<void> {
  const isNeeded = `exists (
    select from ${schema.destination} d join ${schema.source} s on s.destination_id = d.id
     where d.kind = 'kafka-at-least-once'
       and exists (select from ${slot} e where e.topic_id = s.topic_id and ${isInStretch} and e.id > ${settledTo(schema)}))`
  const block = `begin
  if not pg_try_advisory_xact_lock(${schema.lockKey}, ${lockKeys.janitor}) then return; end if;
  if not exists (select from ${slot}) or ${isNeeded} then return; end if;
  perform set_config('lock_timeout', '50ms', true);
  lock table ${slot} in access exclusive mode;
  if not ${isNeeded} then truncate ${slot}; end if;
exception when lock_not_available then null;
end`
  await db.query(`set transaction isolation level read committed; do ${literal(block)}`)
}

/** Where few events come, a slot takes weeks to fill; bodies are patient data and must not stay so long. Deletes settled
 *  events that are ten minutes old, at most 10,000 a call, and gives their space back. Call it each minute, outside of a
 *  transaction.
 *
 *  @param emptied slots of which {@link deleteSettledRows} has deleted some meanwhile */
export async function deleteSettledEvents(
  db: Queryable,
  schema: OutboxSchema,
  olderThanMinutes: number = settledMinutes,
  emptied: Iterable<string> = [],
): Promise<void> {
  const slots = new Set([...emptied, ...(await deleteSettledRows(db, schema, olderThanMinutes))])
  // What was deleted is written over from now on.
  for (const slot of slots) await db.query(`vacuum ${slot}`)
  // Undecided events wait for their destinations; nobody is left to want these.
  await db.query(
    `delete from ${schema.undecidedEvent} u
      where not exists (select from ${schema.source} s join ${schema.destination} d on d.id = s.destination_id
                         where s.topic_id = u.topic_id and d.kind = 'kafka-at-least-once')`,
  )
}

/** As {@link deleteSettledEvents}, without giving the space back. For each second where events are kept after their delivery: then slots are
 *  seldom without any, and as many as come have to go. Index: `event_topic_id_id`.
 *  @returns the slots that had some */
export async function deleteSettledRows(
  db: Queryable,
  schema: OutboxSchema,
  olderThanMinutes: number = settledMinutes,
): Promise<readonly string[]> {
  const { rows } = await db.query<{ slot: string }>(
    `with settled as materialized (
       select t.id as topic_id, min(greatest(${settledTo(schema)}, s.from_id)) as low
         from ${schema.topic} t
         left join (${schema.source} s join ${schema.destination} d on d.id = s.destination_id and d.kind = 'kafka-at-least-once')
           on s.topic_id = t.id
        group by t.id),
     old as materialized (
       select e.topic_id, e.id from settled s join ${schema.event} e on e.topic_id = s.topic_id
        where (s.low is null or e.id <= s.low) and e.at < now() - make_interval(mins => $1)
        limit ${maxDeletedEvents}),
     deleted as (
       delete from ${schema.event} e using old where e.topic_id = old.topic_id and e.id = old.id
       returning e.tableoid::regclass::text as slot)
     select distinct slot from deleted`,
    [olderThanMinutes],
  )
  return rows.map(({ slot }) => slot)
}

/** SQL: up to here the destination `d` needs no event any more: settled, not waiting to be counted, and not kept after its delivery.
 *  Index: `delivered_page_destination_id_first_id`. */
function settledTo(schema: OutboxSchema): string {
  return `least(d.low, case when d.count_snap is not null then d.count_low end,
    (select min(p.first_id) - 1 from ${schema.deliveredPage} p where p.destination_id = d.id))`
}

/** Adds the counters of nodes that have been silent for a day to one row per destination, so that restarts do not leave
 *  rows behind for ever. */
export async function foldSilentNodes(db: Queryable, schema: OutboxSchema): Promise<void> {
  const folded = literal('')
  const isSilent = `c.node_id <> ${folded} and c.seen_at < clock_timestamp() - interval '1 day'`
  const silent = `select c.destination_id from ${schema.bestEffortCounter} c where ${isSilent}`
  await db.query(
    `with held as materialized (${heldDestinations(schema, silent)}),
     gone as (
       delete from ${schema.bestEffortCounter} c using held where c.destination_id = held.id and ${isSilent}
       returning destination_id, delivered, lost + in_process as lost, undecided)
     insert into ${schema.bestEffortCounter} as c (destination_id, node_id, delivered, lost, undecided, in_process, last_errors)
     select destination_id, ${folded}, sum(delivered), sum(lost), sum(undecided), 0, '[]' from gone group by destination_id order by destination_id
     on conflict (destination_id, node_id) do update
       set delivered = c.delivered + excluded.delivered, lost = c.lost + excluded.lost, undecided = c.undecided + excluded.undecided`,
  )
}
