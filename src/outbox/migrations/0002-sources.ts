import type { OutboxSchema } from '../schema.ts'

/** Destinations that change their topic, and topics and destinations of one organization. */
export function createSources(schema: OutboxSchema): string {
  return `-- A queue of the log: the events of one topic, or of one topic below one organization ('' = of all).
alter table ${schema.topic} add organization text not null default '';
alter table ${schema.topic} drop constraint topic_url_key;
create unique index topic_url_organization on ${schema.topic} (url, organization);

-- A destination on its way from one topic to another; gone when every transaction that may not know of it has ended.
create table ${schema.move} (
  id int generated always as identity primary key,
  destination_id int not null references ${schema.destination} on delete cascade,
  seen_at timestamptz,
  closed_xid xid8
);

-- What a destination reads: one row, and until they are drained one for each topic it has left (src/outbox/sources.ts).
create table ${schema.source} (
  id bigint generated always as identity primary key,
  destination_id int not null references ${schema.destination} on delete cascade,
  topic_id int not null references ${schema.topic},
  from_id bigint not null default 0,
  joined_move int,
  from_xid xid8 default '0',
  left_move int,
  until_xid xid8,
  left_at timestamptz
);
create index source_destination_id on ${schema.source} (destination_id);
create index source_topic_id on ${schema.source} (topic_id);
insert into ${schema.source} (destination_id, topic_id) select id, topic_id from ${schema.destination} order by id;

-- Moves that the writer of the event knew of, while there are any.
alter table ${schema.event} add known_moves int[];

-- Which topic has a url. Two that are written at the same time wait for each other here.
create table ${schema.topicHolder} (
  url text primary key,
  reference text not null
);
create index topic_holder_reference on ${schema.topicHolder} (reference);

alter table ${schema.destination} add source_version int not null default 0;

alter table ${schema.deadLetter} add topic_id int references ${schema.topic};
update ${schema.deadLetter} l set topic_id = d.topic_id from ${schema.destination} d where d.id = l.destination_id;
alter table ${schema.deadLetter} alter topic_id set not null;`
}
