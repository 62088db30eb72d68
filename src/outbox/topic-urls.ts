import type { OutboxSchema, Queryable } from './schema.ts'

/** Urls of the topics of queues. */
export async function topicUrlsOf(
  db: Queryable,
  schema: OutboxSchema,
  topicIds: readonly number[],
): Promise<ReadonlyMap<number, string>> {
  if (topicIds.length === 0) return new Map()
  const { rows } = await db.query<{ id: number; url: string }>(
    `select id, url from ${schema.topic} where id = any ($1::int[])`,
    [topicIds],
  )
  return new Map(rows.map(({ id, url }) => [id, url]))
}
