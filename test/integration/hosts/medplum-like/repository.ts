import { randomUUID } from 'node:crypto'
import { gone, isGone, notFound, OperationOutcomeError, deepEquals } from '@medplum/core'
import type { Pool, PoolClient } from 'pg'
import { applyPatch, type Operation } from 'rfc6902'
import type { FhirResource, SqlTx } from '../../../../src/host/types.ts'
import type { CommitHookAdapter } from './commit-hook-adapter.ts'
import { MedplumConnection } from './connection.ts'

export type Stored = FhirResource & { readonly id: string }

/** The types that have tables, as Medplum has them for all of R4. */
const resourceTypes = ['Observation', 'Patient'] as const

export async function migrateMedplumLike(pool: Pool): Promise<void> {
  for (const type of resourceTypes) {
    await pool.query(`
      create table "${type}" (id uuid primary key, content text not null, "lastUpdated" timestamptz not null,
        deleted boolean not null default false, "projectId" uuid, __version int not null);
      create table "${type}_History" ("versionId" uuid primary key, id uuid not null, content text not null,
        "lastUpdated" timestamptz not null);`)
  }
}

interface Row {
  readonly id: string
  readonly content: string
  readonly deleted: boolean
}

/** The repository of one request, as Medplum's: it reads what is there and decides before the transaction begins, which then holds
 *  nothing but the statements that write. */
export class MedplumLikeRepository {
  readonly #pool: Pool
  readonly #adapter: CommitHookAdapter
  readonly #connection: MedplumConnection

  constructor(pool: Pool, adapter: CommitHookAdapter) {
    this.#pool = pool
    this.#adapter = adapter
    this.#connection = new MedplumConnection(pool, (transaction) => {
      adapter.rolledBack(transaction)
    })
  }

  /** What is called on this object in `callback` takes part. */
  withTransaction<Result>(callback: (client: PoolClient) => Promise<Result>): Promise<Result> {
    return this.#connection.withTransaction(callback)
  }

  /** The connection of the open transaction, or the pool. */
  get databaseClient(): Pool | PoolClient {
    return this.#connection.current?.client ?? this.#pool
  }

  createResource(resource: FhirResource): Promise<Stored> {
    return this.#write({ ...resource, id: randomUUID() }, undefined)
  }

  async updateResource(resource: Stored): Promise<Stored> {
    return this.#write(resource, await this.#readExisting(resource))
  }

  async patchResource(
    resourceType: string,
    id: string,
    operations: readonly Operation[],
  ): Promise<Stored> {
    return this.#ensureInTransaction(async () => {
      const patched = await this.readResource(resourceType, id)
      applyPatch(patched, [...operations])
      return this.updateResource(patched)
    })
  }

  async deleteResource(resourceType: string, id: string): Promise<void> {
    try {
      await this.readResource(resourceType, id)
    } catch (error) {
      if (error instanceof OperationOutcomeError && isGone(error.outcome)) return
      throw error
    }
    await this.#ensureInTransaction(async (client) => {
      const previous = await lockPrevious(client, resourceType, id)
      if (!previous) return
      const lastUpdated = new Date()
      const versionId = randomUUID()
      await client.query(
        `update "${resourceType}" set content = '', deleted = true, "lastUpdated" = $2 where id = $1`,
        [id, lastUpdated],
      )
      await client.query(`insert into "${resourceType}_History" values ($1, $2, '', $3)`, [
        versionId,
        id,
        lastUpdated,
      ])
      await this.#adapter.record(this.#connection, {
        interaction: 'delete',
        resourceType,
        id,
        versionId,
        previous,
      })
    })
  }

  async readResource(resourceType: string, id: string): Promise<Stored> {
    const { rows } = await this.databaseClient.query<Row>(
      `select id, content, deleted from "${knownType(resourceType)}" where id = $1`,
      [id],
    )
    const [row] = rows
    if (!row) throw new OperationOutcomeError(notFound)
    if (row.deleted) throw new OperationOutcomeError(gone)
    return JSON.parse(row.content) as Stored
  }

  async #readExisting({ resourceType, id }: Stored): Promise<Stored | undefined> {
    try {
      return await this.readResource(resourceType, id)
    } catch (error) {
      if (error instanceof OperationOutcomeError) return undefined
      throw error
    }
  }

  async #write(resource: Stored, existing: Stored | undefined): Promise<Stored> {
    const meta = {
      ...resource.meta,
      versionId: randomUUID(),
      lastUpdated: new Date().toISOString(),
    }
    const result: Stored = { ...resource, meta }
    // Core leaves versionId and lastUpdated out of the comparison.
    if (existing && deepEquals(existing, result)) return existing
    await this.#writeToDatabase(result)
    // The client gets a copy that hidden fields are taken out of.
    return structuredClone(result)
  }

  async #writeToDatabase(resource: Stored): Promise<void> {
    const { resourceType, id, meta } = resource
    await this.#ensureInTransaction(async (client) => {
      // What #write has read is older than this transaction, and no lock was held: another update can have come in between.
      const previous = await lockPrevious(client, resourceType, id)
      const content = JSON.stringify(resource)
      await client.query(
        `insert into "${resourceType}" (id, content, "lastUpdated", __version) values ($1, $2, $3, 1)
             on conflict (id) do update
            set content = excluded.content, "lastUpdated" = excluded."lastUpdated", deleted = false`,
        [id, content, meta?.lastUpdated],
      )
      await client.query(`insert into "${resourceType}_History" values ($1, $2, $3, $4)`, [
        meta?.versionId,
        id,
        content,
        meta?.lastUpdated,
      ])
      await this.#adapter.record(this.#connection, {
        interaction: previous ? 'update' : 'create',
        resourceType,
        id,
        ...(meta?.versionId === undefined ? {} : { versionId: meta.versionId }),
        current: resource,
        currentJson: content,
        ...(previous ? { previous } : {}),
      })
    })
  }

  #ensureInTransaction<Result>(callback: (client: PoolClient) => Promise<Result>): Promise<Result> {
    const { current } = this.#connection
    return current ? callback(current.client) : this.withTransaction(callback)
  }
}

/** `list` and `read` of FhirHost over Medplum's tables: one for each type. */
export async function readMedplumLike(
  db: SqlTx,
  references: readonly string[],
): Promise<ReadonlyMap<string, FhirResource>> {
  const found = new Map<string, FhirResource>()
  for (const resourceType of resourceTypes) {
    const ids = references.flatMap((reference) => {
      const [type, id = ''] = reference.split('/')
      return type === resourceType && isUuid(id) ? [id] : []
    })
    if (ids.length === 0) continue
    const { rows } = await db.query<Row>(
      `select id, content from "${resourceType}" where id = any ($1::uuid[]) and not deleted`,
      [ids],
    )
    for (const { id, content } of rows) {
      found.set(`${resourceType}/${id}`, JSON.parse(content) as FhirResource)
    }
  }
  return found
}

/** The version before the write that follows. It must not be able to change until the end of the transaction. */
async function lockPrevious(
  client: PoolClient,
  resourceType: string,
  id: string,
): Promise<Stored | undefined> {
  const { rows } = await client.query<Row>(
    `select content, deleted from "${knownType(resourceType)}" where id = $1 for update`,
    [id],
  )
  const [row] = rows
  return row && !row.deleted ? (JSON.parse(row.content) as Stored) : undefined
}

function knownType(resourceType: string): string {
  if (resourceTypes.some((known) => known === resourceType)) return resourceType
  throw new OperationOutcomeError(notFound)
}

function isUuid(id: string): boolean {
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)
}
