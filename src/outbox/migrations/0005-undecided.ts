import type { OutboxSchema } from '../schema.ts'

/** What it takes to decide an undecided event again, and counts of what became of them. */
export function extendUndecided(schema: OutboxSchema): string {
  return `-- previous: the version before the change; null: there was none (create), or it is not known.
-- criteria: names those by which the event was decided last. next_attempt_at: null = when the criteria change.
alter table ${schema.undecidedEvent} add previous text, add criteria text not null default '',
  add attempts int not null default 1, add next_attempt_at timestamptz;
create index undecided_event_topic_id_criteria on ${schema.undecidedEvent} (topic_id, criteria);
create index undecided_event_topic_id_next_attempt_at on ${schema.undecidedEvent} (topic_id, next_attempt_at)
  where next_attempt_at is not null;

-- Undecided events that were not kept: a row for each transaction and topic, so that none waits for another. Added up each second.
create table ${schema.undecidedOverflow} (
  topic_id int not null,
  count int not null,
  at timestamptz not null default clock_timestamp()
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

create table ${schema.undecidedCounter} (
  destination_id int primary key references ${schema.destination} on delete cascade,
  not_kept bigint not null default 0,
  not_kept_at timestamptz,
  not_fired bigint not null default 0,
  discarded bigint not null default 0
) with (fillfactor = 50);

-- Of what is lost: because the criteria could not be decided.
alter table ${schema.bestEffortCounter} add undecided bigint not null default 0;`
}
