import type { Knex } from 'knex'
import { fromKnex } from '../../host/sql-tx.ts'
import type { FhirResource, SqlTx } from '../../host/types.ts'
import { resourceTable } from './schema.ts'

interface StoredRow {
  readonly type: string
  readonly id: string
  readonly content: FhirResource
}

/** All current resources of one type, by id. Index: the primary key (type, id). */
export async function listResources(knex: Knex, resourceType: string): Promise<FhirResource[]> {
  const { rows } = await fromKnex(knex).query<StoredRow>(
    `select type, id, content
       from ${resourceTable}
      where type = $1
        and not deleted
      order by id`,
    [resourceType],
  )
  return rows.map(({ content }) => content)
}

/** Current resources by relative reference, in one statement; what is no reference, missing or deleted is absent. */
export async function readResources(
  knex: Knex,
  references: readonly string[],
  tx?: SqlTx,
): Promise<ReadonlyMap<string, FhirResource>> {
  const keys = references.flatMap((reference) => {
    const [, type, id] = /^([A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})$/.exec(reference) ?? []
    return type !== undefined && id !== undefined ? [{ type, id }] : []
  })
  if (keys.length === 0) return new Map()
  const { rows } = await (tx ?? fromKnex(knex)).query<StoredRow>(
    `select type, id, content
       from ${resourceTable}
      where (type, id) in (select * from unnest($1::text[], $2::text[]))
        and not deleted`,
    [keys.map(({ type }) => type), keys.map(({ id }) => id)],
  )
  return new Map(rows.map(({ type, id, content }) => [`${type}/${id}`, content]))
}
