import { referencesByType } from '../../host/references-by-type.ts'
import type { FhirResource, ReferencesQuery, SqlTx } from '../../host/types.ts'

/** A resource's row. */
export interface CurrentRow {
  readonly version_id: number
  readonly last_updated: Date
  readonly deleted: boolean
  /** Null when it is deleted. */
  readonly content: FhirResource | null
}

export type WriteMethod = 'POST' | 'PUT' | 'PATCH' | 'DELETE'

export interface HistoryRow extends CurrentRow {
  readonly method: WriteMethod
  readonly creates: boolean
}

/** A version to write. */
export interface NewVersion {
  readonly resourceType: string
  readonly id: string
  readonly versionId: number
  readonly lastUpdated: string
  /** JSON text; null is a deletion. */
  readonly json: string | null
  readonly method: WriteMethod
  /** Whether there was no such resource, or a deleted one, before. */
  readonly isCreated: boolean
}

/** Two tables, ready to stand in a statement, of the columns that {@link versionTablesDdl} creates. */
export interface VersionTableNames {
  /** Current resources, one row for each; a deleted one keeps its row, without content. */
  readonly current: string
  /** Every version of every resource, the current one and deletions too. */
  readonly history: string
}

/** `json` and not `jsonb`: jsonb orders the keys of objects anew, and a resource is answered as it was sent. */
export function versionTablesDdl({ current, history }: VersionTableNames): string {
  return `create table if not exists ${current} (
  type text not null,
  id text not null,
  version_id int not null,
  last_updated timestamptz not null,
  deleted boolean not null,
  content json,
  primary key (type, id)
);
create table if not exists ${history} (
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

const columns = 'type, id, version_id, last_updated, deleted, content'

/** Resources and their versions in two tables. Every method runs one statement on the given connection or transaction. */
export class StoredVersions {
  readonly tables: VersionTableNames
  readonly #texts: ReturnType<typeof statementTexts>

  constructor(tables: VersionTableNames) {
    this.tables = tables
    this.#texts = statementTexts(tables)
  }

  /** Index: the primary key (type, id). */
  async readCurrent(tx: SqlTx, resourceType: string, id: string): Promise<CurrentRow | undefined> {
    const { rows } = await tx.query<CurrentRow>(this.#texts.current, [resourceType, id])
    return rows[0]
  }

  /** As `readCurrent`, and locks the row for the life of `tx`: changes of one resource are made, and recorded, one after another. */
  async lockCurrent(tx: SqlTx, resourceType: string, id: string): Promise<CurrentRow | undefined> {
    const { rows } = await tx.query<CurrentRow>(this.#texts.lock, [resourceType, id])
    return rows[0]
  }

  /** Writes the first version of a resource, in one statement with its history.
   *  @returns false when there is a row of that id already, deleted or not: nothing is written then */
  async insertCurrent(tx: SqlTx, version: NewVersion): Promise<boolean> {
    const { rowCount } = await tx.query(this.#texts.insert, [
      version.resourceType,
      version.id,
      version.versionId,
      version.lastUpdated,
      version.json,
      version.method,
      version.isCreated,
    ])
    return rowCount === 1
  }

  /** Writes the next version of a resource whose row is locked, in one statement with its history. */
  async replaceCurrent(tx: SqlTx, version: NewVersion): Promise<void> {
    await tx.query(this.#texts.replace, [
      version.versionId,
      version.lastUpdated,
      version.json === null,
      version.json,
      version.resourceType,
      version.id,
      version.method,
      version.isCreated,
    ])
  }

  /** One version. Index: the primary key (type, id, version_id). */
  async readVersion(
    tx: SqlTx,
    resourceType: string,
    id: string,
    versionId: number,
  ): Promise<HistoryRow | undefined> {
    const { rows } = await tx.query<HistoryRow>(this.#texts.version, [resourceType, id, versionId])
    return rows[0]
  }

  /** Versions, the newest first. Index: the primary key (type, id, version_id), backwards. */
  async readHistory(
    tx: SqlTx,
    resourceType: string,
    id: string,
    { offset, limit }: { readonly offset: number; readonly limit: number },
  ): Promise<HistoryRow[]> {
    const { rows } = await tx.query<HistoryRow>(this.#texts.history, [
      resourceType,
      id,
      offset,
      limit,
    ])
    return rows
  }

  /** All current resources of one type, by id. Index: the primary key (type, id). */
  async list(tx: SqlTx, resourceType: string): Promise<FhirResource[]> {
    const { rows } = await tx.query<StoredRow>(this.#texts.list, [resourceType])
    return rows.map(({ content }) => content)
  }

  /** References of current resources, by type and then by id. One statement for each type: the index gives their order then.
   *  Index: the primary key (type, id). */
  async references(tx: SqlTx, query: ReferencesQuery): Promise<readonly string[]> {
    const types = query.types ?? (await this.#types(tx))
    return referencesByType(query, types, async (type, after = '', limit) => {
      const { rows } = await tx.query<{ id: string }>(this.#texts.ids, [type, after, limit])
      return rows.map(({ id }) => id)
    })
  }

  async #types(tx: SqlTx): Promise<readonly string[]> {
    const { rows } = await tx.query<{ type: string }>(this.#texts.types)
    return rows.map(({ type }) => type)
  }

  /** Current resources by relative reference; what is no reference, missing or deleted is absent. */
  async read(tx: SqlTx, references: readonly string[]): Promise<ReadonlyMap<string, FhirResource>> {
    const keys = references.flatMap((reference) => {
      const [, type, id] = /^([A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})$/.exec(reference) ?? []
      return type !== undefined && id !== undefined ? [{ type, id }] : []
    })
    if (keys.length === 0) return new Map()
    const { rows } = await tx.query<StoredRow>(this.#texts.read, [
      keys.map(({ type }) => type),
      keys.map(({ id }) => id),
    ])
    return new Map(rows.map(({ type, id, content }) => [`${type}/${id}`, content]))
  }
}

interface StoredRow {
  readonly type: string
  readonly id: string
  readonly content: FhirResource
}

function statementTexts(tables: VersionTableNames) {
  const current = `select version_id, last_updated, deleted, content
       from ${tables.current}
      where type = $1
        and id = $2`
  return {
    current,
    lock: `${current} for update`,
    insert: `with stored as (
       insert into ${tables.current} (${columns})
       values ($1, $2, $3, $4, false, $5)
           on conflict do nothing
    returning ${columns})
     insert into ${tables.history} (${columns}, method, creates)
     select ${columns}, $6::text, $7::boolean
       from stored`,
    replace: `with stored as (
       update ${tables.current}
          set version_id = $1, last_updated = $2, deleted = $3, content = $4
        where type = $5
          and id = $6
    returning ${columns})
     insert into ${tables.history} (${columns}, method, creates)
     select ${columns}, $7::text, $8::boolean
       from stored`,
    version: `select version_id, last_updated, deleted, content, method, creates
       from ${tables.history}
      where type = $1
        and id = $2
        and version_id = $3`,
    history: `select version_id, last_updated, deleted, content, method, creates
       from ${tables.history}
      where type = $1
        and id = $2
      order by version_id desc
     offset $3
      limit $4`,
    ids: `select id
       from ${tables.current}
      where type = $1
        and id > $2
        and not deleted
      order by id
      limit $3`,
    types: `with recursive found (type) as (
       (select min(type) from ${tables.current})
       union all
       select (select min(type) from ${tables.current} where type > found.type) from found where found.type is not null)
     select type from found where type is not null`,
    list: `select type, id, content
       from ${tables.current}
      where type = $1
        and not deleted
      order by id`,
    read: `select type, id, content
       from ${tables.current}
      where (type, id) in (select * from unnest($1::text[], $2::text[]))
        and not deleted`,
  } as const
}
