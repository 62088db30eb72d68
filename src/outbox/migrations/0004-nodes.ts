import type { OutboxSchema } from '../schema.ts'

/** Which nodes there are, and which one leads a destination (src/outbox/leadership.ts). Where a destination's last checkpoint stands. */
export function createNodes(schema: OutboxSchema): string {
  return `-- A node is present while it holds the advisory lock of its id, or until its lease ends.
create table ${schema.node} (
  id int generated always as identity primary key,
  name text not null,
  started_at timestamptz not null default clock_timestamp(),
  lease_until timestamptz,
  -- Takes no more destinations, the others need not leave it any.
  is_leaving boolean not null default false
);
alter table ${schema.destination} add leader int, add checkpoint_topic text;`
}
