import type { SqlTx } from '../host/types.ts'
import type { OutboxSchema, Queryable } from './schema.ts'

export type DestinationKind = 'kafka-best-effort' | 'kafka-at-least-once'

export interface DestinationRow {
  readonly destinationId: number
  /** `AidboxTopicDestination/<id>` */
  readonly reference: string
  readonly kind: DestinationKind
  readonly topicId: number
  readonly topicUrl: string
  readonly startedAt: Date
}

export interface NewDestination {
  readonly reference: string
  readonly kind: DestinationKind
  readonly topicUrl: string
}

/** Makes the outbox serve a destination, in the transaction that writes the resource.
 *
 *  A new one gets the events of transactions that were not committed yet. One whose topic or kind has changed starts again at now
 *  in the same way: what was queued under the old topic is dropped, counters and event numbers go on. An unchanged one is not touched,
 *  so that its leader never waits for the host's transaction. */
export async function putDestination(
  tx: SqlTx,
  schema: OutboxSchema,
  { reference, kind, topicUrl }: NewDestination,
): Promise<void> {
  const topicId = await putTopic(tx, schema, topicUrl)
  // The new epoch fences the leader that runs on the old cursor, and a count of the old queue.
  await tx.query(
    `insert into ${schema.destination} as d (reference, kind, topic_id, low, pos, snap)
     values ($1, $2, $3, 0, ${schema.lastEventId}, pg_current_snapshot())
     on conflict (reference) do update
       set kind = excluded.kind, topic_id = excluded.topic_id, low = 0, pos = excluded.pos, snap = excluded.snap,
           round_snap = null, round_pos = null, token = excluded.token, epoch = d.epoch + 1, in_process = 0, count_snap = null
     where (d.kind, d.topic_id) is distinct from (excluded.kind, excluded.topic_id)`,
    [reference, kind, topicId],
  )
}

/** Forgets a destination with its queue, counters and dead letters. */
export async function removeDestination(
  tx: SqlTx,
  schema: OutboxSchema,
  reference: string,
): Promise<void> {
  await tx.query(`delete from ${schema.destination} where reference = $1`, [reference])
}

export async function listDestinationRows(
  db: Queryable,
  schema: OutboxSchema,
): Promise<readonly DestinationRow[]> {
  const { rows } = await db.query<DestinationRow>(
    `select d.id as "destinationId", d.reference, d.kind, d.topic_id as "topicId", t.url as "topicUrl",
            d.started_at as "startedAt"
       from ${schema.destination} d join ${schema.topic} t on t.id = d.topic_id
      order by d.id`,
  )
  return rows
}

/** Rows of topics are never deleted: an id stays valid in events however often destinations come and go. */
async function putTopic(tx: SqlTx, schema: OutboxSchema, url: string): Promise<number> {
  const find = (): Promise<{ rows: { id: number }[] }> =>
    tx.query<{ id: number }>(`select id from ${schema.topic} where url = $1`, [url])
  const [known] = (await find()).rows
  if (known) return known.id
  const inserted = await tx.query<{ id: number }>(
    `insert into ${schema.topic} (url) values ($1) on conflict (url) do update set url = excluded.url returning id`,
    [url],
  )
  const [topic] = inserted.rows
  if (!topic) throw new Error('the topic was not written')
  return topic.id
}
