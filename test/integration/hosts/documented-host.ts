// The code of docs/hosts.md, which a test compares with this file.
import type { Pool, PoolClient } from 'pg'
import { fromPg, UnitOfWork } from '../../../src/index.ts'
import type { CommitHooks, FhirHost, FhirResource } from '../../../src/index.ts'

export async function inTransaction<Result>(
  pool: Pool,
  hooks: readonly CommitHooks[],
  work: (client: PoolClient, unit: UnitOfWork) => Promise<Result>,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    const client = await pool.connect()
    const unit = new UnitOfWork(hooks) // 1. one for each attempt
    let result: Result
    try {
      await client.query('begin isolation level read committed')
      result = await work(client, unit) // 2. calls unit.record() for each write
      await unit.beforeCommit(fromPg(client)) // 3. the last step before COMMIT
      await client.query('commit')
    } catch (error) {
      await client.query('rollback').catch(() => undefined)
      unit.afterRollback() // 4. for an attempt that is repeated, too
      if (attempt < 3 && isLostRace(error)) continue
      throw error
    } finally {
      client.release()
    }
    await unit.afterCommit() // 5. outside of try: the commit cannot be taken back
    return result
  }
}

function isLostRace(error: unknown): boolean {
  return (
    error instanceof Error && 'code' in error && ['40001', '40P01'].includes(String(error.code))
  )
}

export async function put(
  client: PoolClient,
  unit: UnitOfWork,
  resource: FhirResource & { readonly id: string },
): Promise<FhirResource> {
  const { resourceType, id } = resource
  const key = [resourceType, id]
  // A row to lock, also when the resource is new.
  await client.query('insert into resource values ($1, $2, 0, null) on conflict do nothing', key)
  const { rows } = await client.query<{ version: number; body: FhirResource | null }>(
    'select version, body from resource where type = $1 and id = $2 for update',
    key,
  )
  const version = (rows[0]?.version ?? 0) + 1
  const previous = rows[0]?.body ?? undefined
  if (previous && isSameContent(resource, previous)) return previous // no change, no event
  const meta = { versionId: String(version), lastUpdated: new Date().toISOString() }
  const current = { ...resource, meta: { ...resource.meta, ...meta } }
  const currentJson = JSON.stringify(current)
  await client.query('update resource set version = $3, body = $4 where type = $1 and id = $2', [
    ...key,
    version,
    currentJson,
  ])
  unit.record({
    interaction: previous ? 'update' : 'create',
    resourceType,
    id,
    versionId: meta.versionId,
    current,
    currentJson,
    ...(previous && { previous }),
  })
  return current
}

export async function nested(
  client: PoolClient,
  unit: UnitOfWork,
  work: (client: PoolClient, unit: UnitOfWork) => Promise<void>,
): Promise<void> {
  const child = unit.savepoint()
  await client.query('savepoint nested')
  try {
    await work(client, child)
  } catch (error) {
    // ROLLBACK TO keeps the savepoint; the next statement of that name would mean it.
    await client.query('rollback to savepoint nested')
    await client.query('release savepoint nested')
    throw error // and the child is dropped with what it recorded
  }
  await client.query('release savepoint nested')
  child.release()
}

export function createHost(pool: Pool, hooks: CommitHooks[]): FhirHost {
  return {
    capabilities: { sqlTransactions: true, customResourceTypes: false },
    registerResourceType: () => undefined,
    registerOperation: () => undefined,
    addCommitHooks: (added) => hooks.push(added),
    async list(resourceType) {
      const { rows } = await pool.query<{ body: FhirResource }>(
        'select body from resource where type = $1 and body is not null',
        [resourceType],
      )
      return rows.map(({ body }) => body)
    },
    async read(references, tx = fromPg(pool)) {
      const { rows } = await tx.query<{ reference: string; body: FhirResource }>(
        `select type || '/' || id as reference, body
           from resource
          where (type, id) in (select split_part(r, '/', 1), split_part(r, '/', 2) from unnest($1::text[]) as r)
            and body is not null`,
        [references],
      )
      return new Map(rows.map(({ reference, body }) => [reference, body]))
    },
  }
}

export async function remove(
  client: PoolClient,
  unit: UnitOfWork,
  [resourceType, id]: readonly [string, string],
): Promise<void> {
  const key = [resourceType, id]
  const { rows } = await client.query<{ version: number; body: FhirResource | null }>(
    'select version, body from resource where type = $1 and id = $2 for update',
    key,
  )
  const previous = rows[0]?.body
  if (!previous) return
  const version = (rows[0]?.version ?? 0) + 1
  await client.query('update resource set version = $3, body = null where type = $1 and id = $2', [
    ...key,
    version,
  ])
  unit.record({ interaction: 'delete', resourceType, id, versionId: String(version), previous })
}

function isSameContent(one: FhirResource, other: FhirResource): boolean {
  return contentOf(one) === contentOf(other)
}

/** Tags and security labels in meta are content; the two elements that the server sets are not. */
function contentOf({ meta, ...rest }: FhirResource): string {
  return JSON.stringify({
    ...rest,
    meta: { ...meta, versionId: undefined, lastUpdated: undefined },
  })
}
