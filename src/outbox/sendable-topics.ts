import type { OutboxSchema, Queryable } from './schema.ts'

/** SQL condition: what the destination `d` once had in the queue of the topic `t` may be sent to it now. One that is limited to an organization
 *  by now gets nothing of others, nor of the time when it had no limit. */
export function isSendable(schema: OutboxSchema): string {
  return `exists (select from ${schema.topic} c where c.id = d.topic_id and c.organization in ('', t.organization))`
}

/** Urls of the topics, by the ids of the queues, of which a destination may be sent events again. */
export async function sendableTopics(
  db: Queryable,
  schema: OutboxSchema,
  destinationId: number,
): Promise<ReadonlyMap<number, string>> {
  const { rows } = await db.query<{ id: number; url: string }>(
    `select t.id, t.url from ${schema.destination} d, ${schema.topic} t where d.id = $1 and ${isSendable(schema)}`,
    [destinationId],
  )
  return new Map(rows.map(({ id, url }) => [id, url]))
}
