import { forbidden, OperationOutcomeError } from '@medplum/core'
import type { Parameters } from '@medplum/fhirtypes'
import type { Pool, PoolClient } from 'pg'
import { fromPg } from '../../../src/host/sql-tx.ts'
import type {
  CommitHooks,
  FhirHost,
  FhirResource,
  Operation,
  ReferencesQuery,
  ResourceTypeDefinition,
  SqlTx,
} from '../../../src/host/types.ts'
import { UnitOfWork } from '../../../src/host/unit-of-work.ts'
import { isSameContent } from '../../../src/rest/resource-shapes.ts'
import { unitTransaction } from '../../helpers/unit-transaction.ts'

type Stored = FhirResource & { readonly id: string }

/** Writes of one transaction. */
export interface Writes {
  put(resource: Stored): Promise<void>
  delete(reference: string): Promise<void>
}

/** The smallest FHIR server a module can be loaded into: one table, no HTTP. Several on one database are the nodes of a cluster. */
export class PgHost implements FhirHost {
  readonly capabilities = { sqlTransactions: true, customResourceTypes: true } as const
  /** Leaves the version before a change out where no topic needs it. */
  sparesPrevious = false
  /** `<action> <reference>` of what nobody may do. */
  readonly forbidden: Set<string> = new Set()
  readonly #pool: Pool
  readonly #hooks: CommitHooks[] = []
  readonly #types = new Map<string, ResourceTypeDefinition>()
  readonly #operations: Operation[] = []

  constructor(pool: Pool) {
    this.#pool = pool
  }

  static async migrate(pool: Pool): Promise<void> {
    await pool.query(
      'create table resource (reference text primary key, version int not null, body jsonb)',
    )
  }

  authorize(_principal: unknown, action: string, reference: string): void {
    if (this.forbidden.has(`${action} ${reference}`)) throw new OperationOutcomeError(forbidden)
  }

  registerResourceType(definition: ResourceTypeDefinition): void {
    this.#types.set(definition.definition.type, definition)
  }

  registerOperation(operation: Operation): void {
    this.#operations.push(operation)
  }

  addCommitHooks(hooks: CommitHooks): void {
    this.#hooks.push(hooks)
  }

  async list(resourceType: string): Promise<FhirResource[]> {
    const { rows } = await this.#pool.query<{ body: FhirResource }>(
      'select body from resource where body is not null and reference like $1',
      [`${resourceType}/%`],
    )
    return rows.map(({ body }) => body)
  }

  async read(
    references: readonly string[],
    tx: SqlTx = fromPg(this.#pool),
  ): Promise<ReadonlyMap<string, FhirResource>> {
    const { rows } = await tx.query<{ reference: string; body: FhirResource }>(
      'select reference, body from resource where body is not null and reference = any ($1)',
      [references],
    )
    return new Map(rows.map(({ reference, body }) => [reference, body]))
  }

  /** In the order of their bytes. */
  async references({ types, after = '', limit }: ReferencesQuery): Promise<readonly string[]> {
    const { rows } = await this.#pool.query<{ reference: string }>(
      `select reference from resource
        where body is not null and reference collate "C" > $1 and ($2::text[] is null or split_part(reference, '/', 1) = any ($2))
        order by reference collate "C" limit $3`,
      [after, types ?? null, limit],
    )
    return rows.map(({ reference }) => reference)
  }

  /** Resolves when the request would be answered. A rejection of `work` rolls back. */
  async transaction(work: (writes: Writes) => Promise<void>): Promise<void> {
    const unit = new UnitOfWork(this.#hooks)
    await unitTransaction(this.#pool, unit, (client) => work(this.#writes(client, unit)))
  }

  async put(...resources: readonly Stored[]): Promise<void> {
    await this.transaction(async (writes) => {
      for (const resource of resources) await writes.put(resource)
    })
  }

  async delete(reference: string): Promise<void> {
    await this.transaction((writes) => writes.delete(reference))
  }

  usesPrevious(resourceType: string): boolean {
    return new UnitOfWork(this.#hooks).usesPrevious(resourceType)
  }

  /** The answer of `POST AidboxTopicDestination/<id>/$<code>`. */
  async operate(
    code: string,
    id: string,
    parameter: Parameters['parameter'] = [],
  ): Promise<Parameters> {
    const operation = this.#operations.find(
      (each) => each.code === code && each.resourceType === 'AidboxTopicDestination',
    )
    const input: Parameters = { resourceType: 'Parameters', parameter }
    const answer = await operation?.handle({ id, method: 'POST', input })
    return answer?.resource as Parameters
  }

  /** The answer of `GET <reference>/$status`. */
  async status(id: string): Promise<Parameters | undefined> {
    const operation = this.#operations.find(({ code }) => code === 'status')
    const answer = await operation?.handle({ id, method: 'GET' })
    return answer?.resource as Parameters | undefined
  }

  #writes(client: PoolClient, unit: UnitOfWork): Writes {
    return {
      put: (resource) =>
        this.#write(client, unit, `${resource.resourceType}/${resource.id}`, resource),
      delete: (reference) => this.#write(client, unit, reference, undefined),
    }
  }

  async #write(
    client: PoolClient,
    unit: UnitOfWork,
    reference: string,
    written: FhirResource | undefined,
  ): Promise<void> {
    const [resourceType = '', id = ''] = reference.split('/')
    const { rows } = await client.query<{ version: number; body: FhirResource | null }>(
      `insert into resource values ($1, 0, null) on conflict (reference) do update set version = resource.version
       returning version, body`,
      [reference],
    )
    const [before] = rows
    const previous = before?.body ?? undefined
    if (!written && !previous) return
    const versionId = String((before?.version ?? 0) + 1)
    const type = this.#types.get(resourceType)
    const issues = written && type ? await type.validate(written, previous) : []
    const isRefused = issues.some(({ severity }) => severity === 'error')
    if (isRefused) throw new Error(JSON.stringify(issues))
    const stored = written && (type?.toStored?.(written, previous) ?? written)
    if (stored && previous && isSameContent(stored, previous)) return
    const lastUpdated = new Date().toISOString()
    const current = stored && { ...stored, meta: { ...stored.meta, versionId, lastUpdated } }
    await client.query(
      'update resource set version = version + 1, body = $2 where reference = $1',
      [reference, current],
    )
    const isSpared = this.sparesPrevious && !unit.usesPrevious(resourceType)
    const change = { resourceType, id, versionId, ...(previous && !isSpared && { previous }) }
    if (!current) unit.record({ ...change, interaction: 'delete' })
    else unit.record({ ...change, interaction: previous ? 'update' : 'create', current })
  }
}
