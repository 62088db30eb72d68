import type { OutboxSchema } from '../schema.ts'

/** What an operator has asked for one destination, and the record of what was delivered. */
export function createJobs(schema: OutboxSchema): string {
  return `-- Dead letters, delivered events or current resources on their way to one destination (src/outbox/jobs.ts).
-- position: of what is settled, in the order of the job: an event number, or a reference.
create table ${schema.job} (
  id bigint generated always as identity primary key,
  destination_id int not null references ${schema.destination} on delete cascade,
  kind text not null,
  state text not null default 'running',
  selection jsonb not null,
  max_per_second int not null,
  position text not null,
  total bigint,
  sent bigint not null default 0,
  failed bigint not null default 0,
  passed_over bigint not null default 0,
  error text,
  created_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz
) with (fillfactor = 50);
create unique index job_running on ${schema.job} (destination_id, kind) where state = 'running';
create index job_destination_id on ${schema.job} (destination_id, kind, id);

-- job_page: the page of a job that the next Kafka transaction carries (src/outbox/job-page.ts).
-- backfilled: delivered without having stood in the log. dead_discarded: of the dead letters.
alter table ${schema.destination} add job_page jsonb, add backfilled bigint not null default 0,
  add dead_discarded bigint not null default 0;

-- Which event was delivered under which number; a row for each page (src/outbox/delivered-pages.ts).
create table ${schema.deliveredPage} (
  destination_id int not null references ${schema.destination} on delete cascade,
  first_event_no bigint not null,
  last_event_no bigint not null,
  first_id bigint not null,
  delivered_at timestamptz not null default clock_timestamp(),
  events text not null,
  primary key (destination_id, first_event_no)
);
create index delivered_page_destination_id_first_id on ${schema.deliveredPage} (destination_id, first_id);
create index delivered_page_delivered_at on ${schema.deliveredPage} (delivered_at);`
}
