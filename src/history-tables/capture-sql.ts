import { identifier, literal, type OutboxSchema } from '../outbox/schema.ts'
import type { ResolvedLayout } from './table-layout.ts'

/** Captured changes are an outbox of their own in a schema of its own, with one topic and one destination: the relay. */
export const capturedTopic = { id: 1, url: 'captured-changes' } as const
export const relayReference = 'relay'

/** Stands between the two versions in the body of a captured change. JSON cannot hold it, in strings neither.
 *  Source: RFC 7464, section 2.1. */
export const recordSeparator = '\u001e'

/** The relay's topic and cursor. They must be there before the first trigger is, or what it records in between has no reader. */
export function relayRowsSql(schema: OutboxSchema): string {
  return `insert into ${schema.topic} (id, url) overriding system value values (${capturedTopic.id}, ${literal(capturedTopic.url)})
  on conflict do nothing;
with made as (
  insert into ${schema.destination} (reference, kind, topic_id, low, pos, snap)
    values (${literal(relayReference)}, 'kafka-at-least-once', ${capturedTopic.id}, 0, ${schema.lastEventId}, pg_current_snapshot())
    on conflict do nothing returning id, topic_id)
  insert into ${schema.source} (destination_id, topic_id) select id, topic_id from made;`
}

/** The function of one history table; '' is the table of all types. */
export function captureFunctionName(schema: OutboxSchema, resourceType: string): string {
  const name = resourceType === '' ? 'capture' : `capture_${resourceType}`
  return `${schema.quotedName}.${identifier(name)}`
}

/** `security definer`: the server's role needs no right on the outbox. `search_path`: nobody can put an object of his own in the
 *  place of one that the function names. Only its owner may attach it to a table. */
export function captureFunctionSql(
  schema: OutboxSchema,
  layout: ResolvedLayout,
  resourceType: string,
  onlyTypes: readonly string[],
): string {
  const name = captureFunctionName(schema, resourceType)
  return `create or replace function ${name}() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp
  as ${literal(captureBody(schema, layout, resourceType, onlyTypes))};
revoke all on function ${name}() from public;`
}

/** The trigger has the schema's name: two installations can watch one table. */
export function captureTriggerSql(
  schema: OutboxSchema,
  layout: ResolvedLayout,
  resourceType: string,
): string {
  return `create or replace trigger ${schema.quotedName} after insert on ${layout.history.sql(resourceType)}
  referencing new table as inserted for each statement
  execute function ${captureFunctionName(schema, resourceType)}();`
}

export function dropCaptureSql(
  schema: OutboxSchema,
  layout: ResolvedLayout,
  resourceType: string,
): string {
  return `drop trigger if exists ${schema.quotedName} on ${layout.history.sql(resourceType)};
drop function if exists ${captureFunctionName(schema, resourceType)}();`
}

/** What the trigger runs, once per INSERT statement, for all of its rows.
 *
 *  **The version before** is the newest other one that the write can see: the writer holds the resource's row lock, so that is an
 *  earlier one. Of the rows of the same statement only those with an earlier time count. `cmin` orders versions that one
 *  transaction has written with the same time.
 *
 *  A deletion after a deletion has changed nothing. Ids are drawn in the order of the versions: the defaults of an
 *  INSERT … SELECT are evaluated after its ORDER BY. */
export function captureBody(
  schema: OutboxSchema,
  { history, columns, typeColumn }: ResolvedLayout,
  resourceType: string,
  onlyTypes: readonly string[],
): string {
  const [id, version, content, time] = [
    columns.id,
    columns.versionId,
    columns.content,
    columns.lastUpdated,
  ].map(identifier)
  const type = typeColumn === undefined ? '' : identifier(typeColumn)
  const isOneTable = resourceType === ''
  const sameResource = (a: string, b: string): string =>
    `${a}.${id} = ${b}.${id}${isOneTable ? ` and ${a}.${type} = ${b}.${type}` : ''}`
  const wanted = isOneTable
    ? `\n           where i.${type}::text = any (array[${onlyTypes.map(literal).join(', ')}]::text[])`
    : ''
  return `begin
  insert into ${schema.event} (topic_id, interaction, resource_type, resource_id, version_id, body)
  select ${capturedTopic.id}, (case when current is null then 'd' when earlier is null then 'c' else 'u' end)::"char",
         resource_type, resource_id, version_id, concat(current, chr(${recordSeparator.charCodeAt(0)}), earlier)
    from (select ${isOneTable ? `i.${type}::text` : literal(resourceType)} as resource_type, i.${id}::text as resource_id,
                 i.${version}::text as version_id, i.${time} as written_at, nullif(i.${content}::text, '') as current,
                 before.content as earlier, before.is_found
            from inserted i
            left join lateral (
              select nullif(h.${content}::text, '') as content, true as is_found
                from ${history.sql(resourceType)} h
               where ${sameResource('h', 'i')} and h.${version} <> i.${version}
                 and not exists (select from inserted other
                                  where ${sameResource('other', 'h')} and other.${version} = h.${version}
                                    and other.${time} >= i.${time})
               order by h.${time} desc, h.cmin::text::bigint desc
               limit 1) before on true${wanted}) change
   where current is not null or earlier is not null or is_found is null
   order by written_at;
  return null;
end`
}
