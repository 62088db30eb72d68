import type { OutboxSchema, Queryable } from './schema.ts'

/** A topic and the url that it has after a transaction. */
export interface TopicHolder {
  readonly reference: string
  readonly url: string
}

/** Gives topics their urls, in the transaction that writes them; waits for others that write the same url.
 *  @param written references of all topics that the transaction writes or deletes: what they had is free
 *  @returns those whose url belongs to another one, with that one's reference */
export async function holdTopicUrls(
  tx: Queryable,
  schema: OutboxSchema,
  written: readonly string[],
  holders: readonly TopicHolder[],
): Promise<readonly (TopicHolder & { readonly holder: string })[]> {
  await tx.query(`delete from ${schema.topicHolder} where reference = any ($1)`, [written])
  const refused: (TopicHolder & { holder: string })[] = []
  // In one order, so that two transactions never wait for each other.
  for (const { url, reference } of holders.toSorted((a, b) => (a.url < b.url ? -1 : 1))) {
    const { rows } = await tx.query<{ reference: string }>(
      `with inserted as (insert into ${schema.topicHolder} (url, reference) values ($1, $2) on conflict (url) do nothing returning reference)
       select reference from inserted union all select reference from ${schema.topicHolder} where url = $1 limit 1`,
      [url, reference],
    )
    const holder = rows[0]?.reference ?? (await holderOf(tx, schema, url)) ?? 'another topic'
    if (holder !== reference) refused.push({ url, reference, holder })
  }
  return refused
}

/** Asked anew: the statement that waited for another transaction does not see what that one has committed. */
async function holderOf(
  tx: Queryable,
  schema: OutboxSchema,
  url: string,
): Promise<string | undefined> {
  const { rows } = await tx.query<{ reference: string }>(
    `select reference from ${schema.topicHolder} where url = $1`,
    [url],
  )
  return rows[0]?.reference
}

/** Notes the urls of topics that were written before urls were held. */
export async function noteTopicHolders(
  db: Queryable,
  schema: OutboxSchema,
  holders: readonly TopicHolder[],
): Promise<void> {
  if (holders.length === 0) return
  await db.query(
    `insert into ${schema.topicHolder} (url, reference) select * from unnest($1::text[], $2::text[]) on conflict do nothing`,
    [holders.map(({ url }) => url), holders.map(({ reference }) => reference)],
  )
}
