import type { SqlTx } from '../host/types.ts'
import type { DestinationRow, NewDestination } from './destination-row.ts'
import { inPages } from './in-pages.ts'
import type { OutboxSchema, Queryable } from './schema.ts'
import { changeSource, movesOfTopics } from './sources.ts'

/** Makes the outbox serve a destination, in the transaction that writes the resource.
 *
 *  A new one gets the events of transactions that were not committed yet. One whose topic or organization has changed goes on with its
 *  queue, counters and event numbers and gets the other events from now on ({@link changeSource}). An unchanged one is not touched, so
 *  that its leader never waits for the host's transaction. The kind never changes: a queue has no place in best effort.
 *
 *  @returns the move that is to be closed when every node knows of it; undefined when there is none */
export async function putDestination(
  tx: SqlTx,
  schema: OutboxSchema,
  { reference, kind, topicUrl, organization = '' }: NewDestination,
): Promise<number | undefined> {
  const topicId = await putTopic(tx, schema, topicUrl, organization)
  // A conflict uses up an id, too, and whoever writes the same each minute would come to the end of them.
  const inserted = await tx.query<{ id: number }>(
    `insert into ${schema.destination} (reference, kind, topic_id, low, pos, snap)
     select $1, $2, $3, 0, ${schema.lastEventId}, pg_current_snapshot()
      where not exists (select from ${schema.destination} where reference = $1)
     on conflict (reference) do nothing returning id`,
    [reference, kind, topicId],
  )
  const [created] = inserted.rows
  if (created) {
    await tx.query(`insert into ${schema.source} (destination_id, topic_id) values ($1, $2)`, [
      created.id,
      topicId,
    ])
    return undefined
  }
  const { rows } = await tx.query<{ id: number }>(
    `select id from ${schema.destination} where reference = $1 and topic_id <> $2 for update`,
    [reference, topicId],
  )
  const [moved] = rows
  return moved && changeSource(tx, schema, moved.id, topicId)
}

/** Number of the last event that was settled; 0 before the first. */
export async function lastEventNumber(
  db: Queryable,
  schema: OutboxSchema,
  destinationId: number,
): Promise<number> {
  const { rows } = await db.query<{ event_no: string }>(
    `select event_no from ${schema.destination} where id = $1`,
    [destinationId],
  )
  return Number(rows[0]?.event_no ?? 0)
}

/** Forgets a destination with its queue, counters and dead letters. */
export async function removeDestination(
  tx: SqlTx,
  schema: OutboxSchema,
  reference: string,
): Promise<void> {
  await tx.query(`delete from ${schema.destination} where reference = $1`, [reference])
}

/** Each as new as the call, in pages: ten thousand rows at once would hold up the event loop for 30 ms. */
export function listDestinationRows(
  db: Queryable,
  schema: OutboxSchema,
): Promise<readonly DestinationRow[]> {
  return inPages(pageRows, (afterId) => destinationPage(db, schema, afterId))
}

const pageRows = 1000

async function destinationPage(
  db: Queryable,
  schema: OutboxSchema,
  afterId: number,
): Promise<readonly DestinationRow[]> {
  const { rows } = await db.query<DestinationRow>(
    `select d.id as "destinationId", d.reference, d.kind, d.topic_id as "topicId", t.url as "topicUrl",
            t.organization, d.source_version as "sourceVersion", coalesce(m.moves, '{}') as moves, d.started_at as "startedAt"
       from ${schema.destination} d join ${schema.topic} t on t.id = d.topic_id
       left join (${movesOfTopics(schema)}) m on m.topic_id = d.topic_id
      where d.id > $1
      order by d.id limit ${pageRows}`,
    [afterId],
  )
  return rows
}

/** Rows of topics are never deleted: an id stays valid in events however often destinations come and go. */
async function putTopic(
  tx: SqlTx,
  schema: OutboxSchema,
  url: string,
  organization: string,
): Promise<number> {
  const found = await tx.query<{ id: number }>(
    `select id from ${schema.topic} where url = $1 and organization = $2`,
    [url, organization],
  )
  const [known] = found.rows
  if (known) return known.id
  const inserted = await tx.query<{ id: number }>(
    `insert into ${schema.topic} (url, organization) values ($1, $2)
     on conflict (url, organization) do update set url = excluded.url returning id`,
    [url, organization],
  )
  const [topic] = inserted.rows
  if (!topic) throw new Error('the topic was not written')
  return topic.id
}
