import type { FhirResource, SqlTx } from '../../host/types.ts'
import { historyTable, resourceTable } from './schema.ts'

/** A resource's row. */
export interface CurrentRow {
  readonly version_id: number
  readonly last_updated: Date
  readonly deleted: boolean
  /** Null when it is deleted. */
  readonly content: FhirResource | null
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

export type WriteMethod = 'POST' | 'PUT' | 'PATCH' | 'DELETE'

const columns = 'type, id, version_id, last_updated, deleted, content'

/** Index: the primary key (type, id). */
export async function readCurrent(
  tx: SqlTx,
  resourceType: string,
  id: string,
): Promise<CurrentRow | undefined> {
  return firstRow(tx, currentText, [resourceType, id])
}

/** As `readCurrent`, and locks the row for the life of `tx`: changes of one resource are made, and recorded, one after another. */
export async function lockCurrent(
  tx: SqlTx,
  resourceType: string,
  id: string,
): Promise<CurrentRow | undefined> {
  return firstRow(tx, `${currentText} for update`, [resourceType, id])
}

const currentText = `select version_id, last_updated, deleted, content
       from ${resourceTable}
      where type = $1
        and id = $2`

async function firstRow(
  tx: SqlTx,
  text: string,
  values: readonly unknown[],
): Promise<CurrentRow | undefined> {
  const { rows } = await tx.query<CurrentRow>(text, values)
  return rows[0]
}

/** Writes the first version of a resource, in one statement with its history.
 *  @returns false when there is a row of that id already, deleted or not: nothing is written then */
export async function insertCurrent(tx: SqlTx, version: NewVersion): Promise<boolean> {
  const { rowCount } = await tx.query(insertText, [
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

const insertText = `with stored as (
       insert into ${resourceTable} (${columns})
       values ($1, $2, $3, $4, false, $5)
           on conflict do nothing
    returning ${columns})
     insert into ${historyTable} (${columns}, method, creates)
     select ${columns}, $6::text, $7::boolean
       from stored`

/** Writes the next version of a resource whose row is locked, in one statement with its history. */
export async function replaceCurrent(tx: SqlTx, version: NewVersion): Promise<void> {
  await tx.query(replaceText, [
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

const replaceText = `with stored as (
       update ${resourceTable}
          set version_id = $1, last_updated = $2, deleted = $3, content = $4
        where type = $5
          and id = $6
    returning ${columns})
     insert into ${historyTable} (${columns}, method, creates)
     select ${columns}, $7::text, $8::boolean
       from stored`

export interface HistoryRow extends CurrentRow {
  readonly method: WriteMethod
  readonly creates: boolean
}

/** One version. Index: the primary key (type, id, version_id). */
export async function readVersionRow(
  tx: SqlTx,
  resourceType: string,
  id: string,
  versionId: number,
): Promise<HistoryRow | undefined> {
  const { rows } = await tx.query<HistoryRow>(
    `select version_id, last_updated, deleted, content, method, creates
       from ${historyTable}
      where type = $1
        and id = $2
        and version_id = $3`,
    [resourceType, id, versionId],
  )
  return rows[0]
}

/** Versions, the newest first. Index: the primary key (type, id, version_id), backwards. */
export async function readHistoryRows(
  tx: SqlTx,
  resourceType: string,
  id: string,
  page: { readonly offset: number; readonly limit: number },
): Promise<HistoryRow[]> {
  const { rows } = await tx.query<HistoryRow>(
    `select version_id, last_updated, deleted, content, method, creates
       from ${historyTable}
      where type = $1
        and id = $2
      order by version_id desc
     offset $3
      limit $4`,
    [resourceType, id, page.offset, page.limit],
  )
  return rows
}
