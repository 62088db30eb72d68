import type { FhirResource, SqlTx } from '../../host/types.ts'
import { searchTerms } from './search-terms.ts'

export const searchTermTable = 'fhir_search_term'

/** One row per term of a current resource. `value` is compared byte by byte, so that a prefix can use its index. */
export const searchIndexDdl: string = `
create table if not exists ${searchTermTable} (
  type text not null,
  id text not null,
  parameter text not null,
  value text collate "C",
  qualifier text,
  low bigint,
  high bigint
);
create index if not exists ${searchTermTable}_resource on ${searchTermTable} (type, id);
create index if not exists ${searchTermTable}_value
  on ${searchTermTable} (type, parameter, value) where value is not null;
create index if not exists ${searchTermTable}_period
  on ${searchTermTable} (type, parameter, low, high) where low is not null;
`

/** The relations of {@link searchIndexDdl}. */
export const searchIndexRelations: readonly string[] = ['', '_resource', '_value', '_period'].map(
  (suffix) => searchTermTable + suffix,
)

/** Makes a resource findable as it is now. `isNew` spares the look for terms of an earlier version. Index: `…_resource`. */
export async function writeSearchIndex(
  tx: SqlTx,
  resource: FhirResource,
  isNew: boolean,
): Promise<void> {
  const { resourceType, id } = resource
  if (id === undefined) throw new TypeError('Only a resource with an id can be indexed.')
  const terms = searchTerms(resource)
  if (terms.length === 0) {
    if (!isNew) await removeFromSearchIndex(tx, resourceType, id)
    return
  }
  const earlier = isNew
    ? ''
    : `with earlier as (delete from ${searchTermTable} where type = $1 and id = $2)`
  await tx.query(
    `${earlier}
     insert into ${searchTermTable} (type, id, parameter, value, qualifier, low, high)
     select $1::text, $2::text, term.*
       from unnest($3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[]) as term`,
    [
      resourceType,
      id,
      terms.map(({ parameter }) => parameter),
      terms.map(({ value }) => value),
      terms.map(({ qualifier }) => qualifier),
      terms.map(({ low }) => low),
      terms.map(({ high }) => high),
    ],
  )
}

/** A deleted resource is found no more. Index: `…_resource`. */
export async function removeFromSearchIndex(
  tx: SqlTx,
  resourceType: string,
  id: string,
): Promise<void> {
  await tx.query(`delete from ${searchTermTable} where type = $1 and id = $2`, [resourceType, id])
}
