import type { OutboxSchema } from '../schema.ts'

/** Which database the tables stand in: a copy in the same cluster needs a name of its own, too. */
export function nameDatabase(schema: OutboxSchema): string {
  return `alter table ${schema.cluster} add database_oid oid;
update ${schema.cluster} set database_oid = (select oid from pg_database where datname = current_database());
alter table ${schema.cluster} alter database_oid set not null;`
}
