import { identifier, outboxSchema } from './schema.ts'

/** What the role of the host's own connections needs where the module's pool (option `database`) has another role, which owns the
 *  tables: to write events in its transactions, and topics and destinations. It cannot read events, dead letters or counters of
 *  best effort. Run it as the owner when the tables are there, and again after an upgrade: when the module has started once, or, where
 *  an `OwnTypesHost` reads them in that start, after `outboxMigrationsSql()`.
 *  @param hostRole a role of PostgreSQL
 *  @param schema name, as in the option `schema`
 *  @throws TopicDestinationError `KTD_INVALID_OPTION` */
export function outboxGrantsSql(hostRole: string, schema?: string): string {
  const tables = outboxSchema(schema)
  const role = identifier(hostRole)
  const written = [
    tables.destination,
    tables.source,
    tables.move,
    tables.topic,
    tables.topicHolder,
    tables.registryChange,
    tables.ownResource,
    tables.ownResourceHistory,
  ]
  return `begin;
grant usage on schema ${tables.quotedName} to ${role};
grant insert on ${tables.event}, ${tables.undecidedEvent}, ${tables.undecidedOverflow} to ${role};
grant usage on sequence ${tables.quotedName}.event_id_seq to ${role};
grant select, insert, update, delete on ${written.join(', ')} to ${role};
commit;
`
}
