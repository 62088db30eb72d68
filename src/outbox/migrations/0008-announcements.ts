import type { OutboxSchema } from '../schema.ts'

/** What a node says of itself, so that the others can wait for it (src/outbox/node-presence.ts). */
export function createAnnouncements(schema: OutboxSchema): string {
  return `-- Null: of a version that does not tell it.
alter table ${schema.node} add schema_version int;`
}
