import type { Knex } from 'knex'
import { fromKnex } from '../../host/sql-tx.ts'
import type {
  FhirResource,
  HistoryQuery,
  HostHistory,
  PastChange,
  SqlTx,
} from '../../host/types.ts'
import { resourceTables } from './schema.ts'

interface VersionKey {
  readonly type: string
  readonly id: string
  readonly version_id: number
  readonly last_updated: Date
  /** `last_updated` with all of its digits, which a Date does not have. */
  readonly exact: string
  /** Of the content as PostgreSQL keeps it, compressed. */
  readonly bytes: number
}

interface VersionContent {
  /** Place of its key, from 1. */
  readonly place: string
  readonly deleted: boolean
  readonly creates: boolean
  readonly content: FhirResource | null
  readonly previous: FhirResource | null
}

/** So many rows of the index are looked at in one statement: it takes a few milliseconds, however rare the wanted types are. */
const keysPerPage = 1000
/** So many changes are in memory, or those of so many compressed bytes; a larger one is alone. */
const changesPerPage = 50
const bytesPerPage = 1024 ** 2

/** The history of the reference server, from the table of its versions. */
export class StoredHistory implements HostHistory {
  readonly #knex: Knex

  constructor(knex: Knex) {
    this.#knex = knex
  }

  async read(references: readonly string[]): Promise<ReadonlyMap<string, FhirResource>> {
    const keys = references.flatMap((reference) => {
      const [, type, id, version] = versionReference.exec(reference) ?? []
      if (type === undefined || id === undefined) return []
      return [{ type, id, version_id: Number(version) }]
    })
    if (keys.length === 0) return new Map()
    const { rows } = await fromKnex(this.#knex).query<{ reference: string; content: FhirResource }>(
      `select v.type || '/' || v.id || '/_history/' || v.version_id as reference, v.content
         from ${resourceTables.history} v
        where (v.type, v.id, v.version_id) in (select * from unnest($1::text[], $2::text[], $3::int[]))
          and v.content is not null`,
      columnsOf(keys),
    )
    return new Map(rows.map(({ reference, content }) => [reference, content]))
  }

  async *changes(query: HistoryQuery): AsyncGenerator<PastChange, void, undefined> {
    const trx = await this.#knex.transaction({ isolationLevel: 'repeatable read', readOnly: true })
    try {
      const tx = fromKnex(trx)
      let last: VersionKey | undefined
      for (;;) {
        if (query.signal?.aborted) return
        const keys: readonly VersionKey[] = await readKeys(tx, query, last)
        const { types } = query
        const wanted = types ? keys.filter(({ type }) => types.includes(type)) : keys
        for (const page of pagesOf(wanted)) {
          if (query.signal?.aborted) return
          yield* await readChanges(tx, page)
        }
        if (keys.length < keysPerPage) return
        last = keys.at(-1)
      }
    } finally {
      // Nothing was written; a connection that is gone has nothing to end.
      await trx.commit().catch(() => undefined)
    }
  }
}

function* pagesOf(keys: readonly VersionKey[]): Generator<readonly VersionKey[]> {
  let page: VersionKey[] = []
  let bytes = 0
  for (const key of keys) {
    if (page.length === changesPerPage || (page.length > 0 && bytes + key.bytes > bytesPerPage)) {
      yield page
      page = []
      bytes = 0
    }
    page.push(key)
    bytes += key.bytes
  }
  if (page.length > 0) yield page
}

// No more digits than a version can have.
const versionReference = /^([A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})\/_history\/([1-9]\d{0,8})$/

const behindLast =
  'last_updated <= $2::timestamptz and (last_updated, type, id, version_id) < ($2, $3, $4, $5)'

/** The newest first, behind `last`. Index: `fhir_resource_history_last_updated`, backwards. */
async function readKeys(
  tx: SqlTx,
  { from, to }: HistoryQuery,
  last: VersionKey | undefined,
): Promise<readonly VersionKey[]> {
  const { rows } = await tx.query<VersionKey>(
    `select type, id, version_id, last_updated, last_updated::text as exact, coalesce(pg_column_size(content), 0) as bytes
       from ${resourceTables.history}
      where last_updated >= coalesce($1::timestamptz, '-infinity')
        and ${last ? behindLast : "last_updated < coalesce($2::timestamptz + interval '1 ms', 'infinity')"}
      order by last_updated desc, type desc, id desc, version_id desc
      limit ${keysPerPage}`,
    last
      ? [from ?? null, last.exact, last.type, last.id, last.version_id]
      : [from ?? null, to ?? null],
  )
  return rows
}

/** Index: the primary key (type, id, version_id). */
async function readChanges(tx: SqlTx, keys: readonly VersionKey[]): Promise<PastChange[]> {
  const { rows } = await tx.query<VersionContent>(
    `select k.place, v.deleted, v.creates, v.content, p.content as previous
       from unnest($1::text[], $2::text[], $3::int[]) with ordinality as k (type, id, version_id, place)
       join ${resourceTables.history} v on v.type = k.type and v.id = k.id and v.version_id = k.version_id
       left join ${resourceTables.history} p
         on p.type = v.type and p.id = v.id and p.version_id = v.version_id - 1 and not v.creates
      order by k.place`,
    columnsOf(keys),
  )
  return rows.map(({ place, deleted, creates, content, previous }): PastChange => {
    const key = keys[Number(place) - 1] as VersionKey
    return {
      interaction: deleted ? 'delete' : creates ? 'create' : 'update',
      resourceType: key.type,
      id: key.id,
      versionId: String(key.version_id),
      at: key.last_updated,
      ...(content ? { current: content } : {}),
      ...(previous ? { previous } : {}),
    }
  })
}

function columnsOf(keys: readonly Pick<VersionKey, 'type' | 'id' | 'version_id'>[]): unknown[][] {
  return [
    keys.map(({ type }) => type),
    keys.map(({ id }) => id),
    keys.map(({ version_id: versionId }) => versionId),
  ]
}
