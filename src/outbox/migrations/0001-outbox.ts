import { literal, slotCount, type OutboxSchema } from '../schema.ts'

export function createTables(schema: OutboxSchema): string {
  const s = schema.quotedName
  return `create schema if not exists ${s};
create table ${schema.migration} (version int primary key, applied_at timestamptz not null default now());

-- The cluster whose transaction numbers the tables hold, and a name for this outbox.
create table ${schema.cluster} (
  system_identifier bigint not null,
  installation_id text not null
);
insert into ${schema.cluster} (system_identifier, installation_id)
  select system_identifier, substr(replace(gen_random_uuid()::text, '-', ''), 1, 12) from pg_control_system();

create table ${schema.topic} (
  id int generated always as identity primary key,
  url text not null unique
);

-- The event log: a ring of ${slotCount} slots, emptied by TRUNCATE.
-- cache 1: ids must rise with time across sessions. xid stands before id: a transaction gets its number before it draws an id.
create sequence ${s}.event_id_seq cache 1;
create table ${schema.event} (
  xid xid8 not null default pg_current_xact_id(),
  id bigint not null default nextval(${literal(`${s}.event_id_seq`)}),
  topic_id int not null,
  interaction "char" not null,
  resource_type text not null,
  resource_id text not null,
  version_id text,
  at timestamptz not null default now(),
  correlation_id text,
  traceparent text,
  body text
) partition by list ((id / ${schema.slotEvents} % ${slotCount}));
${Array.from({ length: slotCount }, (_slot, slot) => createSlot(schema, slot)).join('\n')}
create index event_topic_id_id on ${schema.event} (topic_id, id);

-- One row per destination. low, pos, snap, round_snap, round_pos, token: the cursor (src/outbox/event-cursor.ts).
-- count_*: how far the backlog is counted (src/outbox/backlog-count.ts).
create table ${schema.destination} (
  id int generated always as identity primary key,
  reference text not null unique,
  kind text not null,
  topic_id int not null references ${schema.topic},
  epoch int not null default 0,
  token bigint not null default (('x' || substr(replace(gen_random_uuid()::text, '-', ''), 1, 8))::bit(32)::bigint | 2147483648),
  low bigint not null,
  pos bigint not null,
  snap pg_snapshot not null,
  round_snap pg_snapshot,
  round_pos bigint,
  event_no bigint not null default 0,
  delivered bigint not null default 0,
  failed_attempts bigint not null default 0,
  dead bigint not null default 0,
  in_process int not null default 0,
  last_errors jsonb not null default '[]',
  exactly_once boolean,
  note text,
  counted bigint not null default 0,
  count_low bigint,
  count_pos bigint,
  count_snap pg_snapshot,
  count_mark_xid xid8,
  count_mark_id bigint,
  started_at timestamptz not null default now(),
  touched_at timestamptz
) with (fillfactor = 50);

create table ${schema.deadLetter} (
  destination_id int not null references ${schema.destination} on delete cascade,
  event_no bigint not null,
  event_id bigint not null,
  interaction "char" not null,
  resource_type text not null,
  resource_id text not null,
  version_id text,
  at timestamptz not null,
  correlation_id text,
  traceparent text,
  body text,
  error text not null,
  failed_at timestamptz not null default now(),
  primary key (destination_id, event_no)
);

create table ${schema.undecidedEvent} (
  id bigint generated always as identity primary key,
  topic_id int not null references ${schema.topic},
  interaction "char" not null,
  resource_type text not null,
  resource_id text not null,
  version_id text,
  at timestamptz not null default now(),
  correlation_id text,
  traceparent text,
  body text,
  error text not null
);
create index undecided_event_topic_id on ${schema.undecidedEvent} (topic_id, at);

create table ${schema.registryChange} (
  xid xid8 not null default pg_current_xact_id(),
  id bigint generated always as identity primary key,
  reference text not null
);
create index registry_change_xid on ${schema.registryChange} (xid);

create table ${schema.bestEffortCounter} (
  destination_id int not null references ${schema.destination} on delete cascade,
  node_id text not null,
  delivered bigint not null,
  lost bigint not null,
  in_process bigint not null,
  last_errors jsonb not null,
  seen_at timestamptz not null default clock_timestamp(),
  primary key (destination_id, node_id)
) with (fillfactor = 50);`
}

/** Bodies stay out of the way of index scans only when large. lz4 where the server has it; pglz costs more than it saves here. */
function createSlot(schema: OutboxSchema, slot: number): string {
  const compress = `begin
  if (select 'lz4' = any (enumvals) from pg_settings where name = 'default_toast_compression') then
    alter table ${schema.slot(slot)} alter body set compression lz4;
  else
    alter table ${schema.slot(slot)} alter body set storage external;
  end if;
end`
  return `create table ${schema.slot(slot)} partition of ${schema.event} for values in (${slot})
  with (toast_tuple_target = 8160, autovacuum_enabled = off, toast.autovacuum_enabled = off);
do ${literal(compress)};`
}
