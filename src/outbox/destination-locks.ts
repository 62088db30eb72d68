import type { NewDestination } from './destination-row.ts'
import type { OutboxSchema, Queryable } from './schema.ts'

// One order for all locks: a transaction that changes several destinations, or rows that go with them, first locks the destinations, by their ids.
// Whoever deletes or moves some holds them for itself, whoever counts for some holds them as they are; then neither waits for the other in a circle.

/** Locks those destinations that a transaction is about to remove or to move to another queue, before it changes the first of them. Others stay
 *  untouched, so that their leaders never wait for the host's transaction. */
export async function lockDestinations(
  tx: Queryable,
  schema: OutboxSchema,
  removed: readonly string[],
  put: readonly NewDestination[],
): Promise<void> {
  if (removed.length + put.length < 2) return
  await tx.query(
    `select from ${schema.destination} d join ${schema.topic} t on t.id = d.topic_id
      where d.reference = any ($1::text[]) or exists (
        select from unnest($2::text[], $3::text[], $4::text[]) p (reference, url, organization)
         where p.reference = d.reference and (p.url, p.organization) <> (t.url, t.organization))
      order by d.id for update of d`,
    [
      removed,
      put.map(({ reference }) => reference),
      put.map(({ topicUrl }) => topicUrl),
      put.map(({ organization = '' }) => organization),
    ],
  )
}

/** SQL of a materialized CTE: `id` of the destinations among these that are there, and stay until the transaction ends.
 *  @param ids a query of ids */
export function heldDestinations(schema: OutboxSchema, ids: string): string {
  return `select id from ${schema.destination} where id in (${ids}) order by id for key share`
}
