import type { OutboxSchema } from '../schema.ts'

/** What a node says of itself, so that the others can wait for it (src/outbox/node-presence.ts). */
export function createAnnouncements(schema: OutboxSchema): string {
  return `-- schema_version: null of a version that does not tell it.
-- delivered_retention_ms: for so long the node wants kept what was delivered; null: it does not care.
alter table ${schema.node} add schema_version int, add delivered_retention_ms bigint;`
}
