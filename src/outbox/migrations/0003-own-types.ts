import type { OutboxSchema } from '../schema.ts'

/** The module's own resource types, for hosts that cannot store them (src/own-types). */
export function createOwnTypes(schema: OutboxSchema): string {
  return `-- json and not jsonb: jsonb orders the keys of objects anew, and a resource is answered as it was sent.
create table ${schema.ownResource} (
  type text not null,
  id text not null,
  version_id int not null,
  last_updated timestamptz not null,
  deleted boolean not null,
  content json,
  primary key (type, id)
);
create table ${schema.ownResourceHistory} (
  type text not null,
  id text not null,
  version_id int not null,
  last_updated timestamptz not null,
  deleted boolean not null,
  content json,
  method text not null,
  creates boolean not null,
  primary key (type, id, version_id)
);`
}
