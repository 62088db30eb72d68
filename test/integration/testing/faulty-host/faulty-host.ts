import { randomUUID } from 'node:crypto'
import {
  conflict,
  deepEquals,
  gone,
  notFound,
  OperationOutcomeError,
  unauthorized,
} from '@medplum/core'
import type { Pool, PoolClient } from 'pg'
import { applyPatch, type Operation as PatchStep } from 'rfc6902'
import { fromPg } from '../../../../src/host/sql-tx.ts'
import type {
  Change,
  CommitHooks,
  FhirHost,
  FhirResource,
  HistoryQuery,
  HostHistory,
  Operation,
  PastChange,
  Principal,
  ReferencesQuery,
  ResourceTypeDefinition,
  SqlTx,
} from '../../../../src/host/types.ts'
import type { Fault } from './faults.ts'
import { Transactions, type Session } from './transactions.ts'

type Stored = FhirResource & { readonly id: string }

/** What a request says for the events it causes. */
export type Traces = Pick<Change, 'correlationId' | 'traceparent'>

interface Row {
  readonly type: string
  readonly id: string
  readonly version: number
  readonly body: FhirResource | null
}

interface VersionRow extends Row {
  readonly at: Date
  readonly previous: FhirResource | null
}

/** A home-grown host that keeps every promise but one. */
export class FaultyHost implements FhirHost {
  readonly capabilities = { sqlTransactions: true, customResourceTypes: true } as const
  readonly types: Map<string, ResourceTypeDefinition> = new Map()
  readonly operations: Operation[] = []
  readonly transactions: Transactions
  readonly fault: Fault | undefined
  readonly #pool: Pool
  readonly #kept: PoolClient[] = []
  #isClosed = false
  readonly #hooks: CommitHooks[] = []
  readonly #uncommitted = new Map<string, FhirResource>()
  readonly #shared = new Map<string, Record<string, unknown>>()

  constructor(pool: Pool, fault: Fault | undefined) {
    this.#pool = pool
    this.fault = fault
    this.transactions = new Transactions(pool, this.#hooks, fault)
  }

  static async migrate(pool: Pool): Promise<void> {
    await pool.query(
      `create table resource (type text, id text, version int not null, body json, primary key (type, id));
       create table version (type text, id text, version int, body json, at timestamptz(3) default clock_timestamp(),
         primary key (type, id, version))`,
    )
  }

  registerResourceType(definition: ResourceTypeDefinition): void {
    this.types.set(definition.definition.type, definition)
  }

  registerOperation(operation: Operation): void {
    this.operations.push(operation)
  }

  addCommitHooks(hooks: CommitHooks): void {
    this.#hooks.push(hooks)
  }

  async list(resourceType: string): Promise<FhirResource[]> {
    const { rows } = await this.#pool.query<Row>('select * from resource where type = $1', [
      resourceType,
    ])
    if (this.fault === 'list gives deleted resources') {
      return rows.map(({ id, body }) => body ?? { resourceType, id })
    }
    return rows.flatMap(({ body }) => (body ? [body] : []))
  }

  async read(
    references: readonly string[],
    tx?: SqlTx,
  ): Promise<ReadonlyMap<string, FhirResource>> {
    if (this.fault === 'hooks for reads') {
      const [first = ''] = references
      const [resourceType = '', id = ''] = first.split('/')
      const unit = { changes: [{ interaction: 'update', resourceType, id } as const] }
      for (const hooks of this.#hooks) await hooks.afterCommit(unit)
    }
    const db = tx && this.fault !== 'read ignores tx' ? tx : fromPg(this.#pool)
    const { rows } = await db.query<Row>(
      `select * from resource where type || '/' || id = any ($1)`,
      [references],
    )
    return new Map(
      rows.flatMap(({ type, id, body }) => {
        const reference = `${type}/${id}`
        const isDeletedGiven = this.fault === 'read gives deleted resources'
        const found = body ?? (isDeletedGiven ? { resourceType: type, id } : undefined)
        const cached = tx ? undefined : this.#uncommitted.get(reference)
        return found ? [[reference, cached ?? found]] : []
      }),
    )
  }

  async references({ types, limit, after }: ReferencesQuery): Promise<readonly string[]> {
    const { rows } = await this.#pool.query<Row>(
      'select * from resource where type = any ($1) and (body is not null or $2) order by type, id',
      [types, this.fault === 'references gives deleted resources'],
    )
    const all = rows.map(({ type, id }) => `${type}/${id}`)
    const isOverlapping = this.fault === 'references gives the last one again'
    const begin = after === undefined ? 0 : all.indexOf(after) + (isOverlapping ? 0 : 1)
    return all.slice(begin, begin + limit)
  }

  readonly history: HostHistory = {
    read: (references) => this.#readVersions(references),
    changes: (query) => this.#changes(query),
  }

  /** Gives back what a fault has kept, and what it would still keep. */
  close(): void {
    this.#isClosed = true
    for (const client of this.#kept.splice(0)) client.release(true)
  }

  async #readVersions(references: readonly string[]): Promise<ReadonlyMap<string, FhirResource>> {
    const { rows } = await this.#pool.query<VersionRow & { readonly reference: string }>(
      `select *, type || '/' || id || '/_history/' || version as reference from version
        where type || '/' || id || '/_history/' || version = any ($1)`,
      [references],
    )
    return new Map(
      rows.flatMap(({ reference, type, id, body }) => {
        const isDeletionGiven = this.fault === 'history gives deletions'
        const found = body ?? (isDeletionGiven ? { resourceType: type, id } : undefined)
        return found ? [[reference, found]] : []
      }),
    )
  }

  async *#changes({ types, from, to, signal }: HistoryQuery): AsyncGenerator<PastChange> {
    const { fault } = this
    if (signal?.aborted && fault !== 'history does not hear the signal') return
    const isAllTimes = fault === 'history of all times'
    const client = await this.#pool.connect()
    try {
      const { rows } = await client.query<VersionRow>(
        `select v.*, p.body as previous from version v
           left join version p on p.type = v.type and p.id = v.id and p.version = v.version - 1
          where ($1::text[] is null or v.type = any ($1)) and ($2::timestamptz is null or v.at >= $2)
            and ($3::timestamptz is null or v.at <= $3)
          order by ${fault === 'history oldest first' ? 'v.at, v.version' : 'v.at desc, v.version desc'}`,
        [
          (fault === 'history of all types' ? undefined : types) ?? null,
          (isAllTimes ? undefined : from) ?? null,
          (isAllTimes ? undefined : to) ?? null,
        ],
      )
      for (const { type, id, version, at, body, previous } of rows) {
        yield {
          interaction: body === null ? 'delete' : previous ? 'update' : 'create',
          resourceType: type,
          id,
          versionId: String(version),
          at,
          ...(body ? { current: body } : {}),
          ...(previous && fault !== 'history without previous' ? { previous } : {}),
        }
      }
    } finally {
      if (fault === 'history keeps its connections' && !this.#isClosed) this.#kept.push(client)
      else client.release()
    }
  }

  authorize(principal: Principal | undefined): Promise<void> {
    if (principal || this.fault === 'authorize lets everybody in') return Promise.resolve()
    return Promise.reject(new OperationOutcomeError(unauthorized))
  }

  async create(session: Session, resource: FhirResource, traces: Traces = {}): Promise<Stored> {
    const isRegistered = this.types.has(resource.resourceType)
    const keepsId = isRegistered && this.fault !== 'id of the client dropped'
    const id = (keepsId ? resource.id : undefined) ?? randomUUID()
    return this.#put(session, { ...resource, id }, traces, 'POST')
  }

  async update(session: Session, resource: Stored, traces: Traces = {}): Promise<Stored> {
    return this.#put(session, resource, traces, 'PUT')
  }

  async patch(
    session: Session,
    [type, id]: readonly [string, string],
    steps: readonly PatchStep[],
  ): Promise<Stored> {
    const patched = structuredClone(await this.get(session, type, id))
    applyPatch(patched, [...steps])
    return this.#put(session, patched, {}, 'PATCH')
  }

  async delete(session: Session, type: string, id: string, traces: Traces = {}): Promise<void> {
    const row = await this.#lock(session, type, id)
    if (!row) throw new OperationOutcomeError(notFound)
    const previous = row.body ?? undefined
    if (!previous && this.fault !== 'changes for writes that change nothing') return
    await this.#write(session, type, id, null)
    this.#record(session, {
      interaction: 'delete',
      resourceType: type,
      id,
      versionId: String(row.version + 1),
      ...(previous ? { previous } : {}),
      ...(previous && this.fault === 'delete with current' ? { current: previous } : {}),
      ...traces,
    })
  }

  async get(session: Session | undefined, type: string, id: string): Promise<Stored> {
    const { rows } = await (session?.client ?? this.#pool).query<Row>(
      'select * from resource where type = $1 and id = $2',
      [type, id],
    )
    const [row] = rows
    if (!row) throw new OperationOutcomeError(notFound)
    if (!row.body) throw new OperationOutcomeError(gone)
    return { ...row.body, id }
  }

  async #put(
    session: Session,
    resource: Stored,
    traces: Traces,
    method: 'POST' | 'PUT' | 'PATCH',
  ): Promise<Stored> {
    const { resourceType: type, id } = resource
    const row = await this.#lock(session, type, id)
    const previous = row?.body ?? undefined
    if (method === 'POST' && previous) throw new OperationOutcomeError(conflict('id is taken'))
    const accepted = await this.#accept(resource, previous)
    if (
      previous &&
      this.#isSameContent(accepted, previous) &&
      this.fault !== 'changes for writes that change nothing'
    ) {
      return { ...previous, id }
    }
    const versionId = String((row?.version ?? 0) + 1)
    const meta = { ...accepted.meta, versionId, lastUpdated: new Date().toISOString() }
    const stored: Stored = { ...accepted, id, meta }
    const json = JSON.stringify(stored)
    const write = () => this.#write(session, type, id, json)
    if (this.fault === 'rows written after beforeCommit') session.late.push(write)
    else await write()
    if (this.fault === 'read sees uncommitted rows') this.#uncommitted.set(`${type}/${id}`, stored)
    const isUpdate =
      previous !== undefined || (this.fault === 'PUT is always an update' && method === 'PUT')
    this.#record(session, {
      interaction:
        isUpdate && !(method === 'PATCH' && this.fault === 'PATCH is a create')
          ? 'update'
          : 'create',
      resourceType: type,
      id,
      versionId,
      current: this.#current(stored, resource),
      currentJson:
        this.fault === 'currentJson of the version before' && previous
          ? JSON.stringify(previous)
          : JSON.stringify(this.#current(stored, resource)),
      ...(previous && this.fault !== 'no previous' ? { previous } : {}),
      ...traces,
    })
    if (this.fault === 'hooks after each write of a transaction') {
      for (const hooks of this.#hooks)
        await hooks.beforeCommit(session.unit, fromPg(session.client))
    }
    return stored
  }

  #current(stored: Stored, sent: Stored): FhirResource {
    if (this.fault === 'current as the client sent it') return sent
    if (this.fault !== 'one object for all versions') return stored
    const key = `${stored.resourceType}/${stored.id}`
    const shared = Object.assign(this.#shared.get(key) ?? {}, stored)
    this.#shared.set(key, shared)
    return shared
  }

  async #accept(resource: Stored, previous: FhirResource | undefined): Promise<FhirResource> {
    const type = this.types.get(resource.resourceType)
    if (!type) return resource
    if (this.fault !== 'validate not called') {
      const known = this.fault === 'validate without previous' ? undefined : previous
      const issue = await type.validate(resource, known)
      if (issue.some(({ severity }) => severity === 'error')) {
        throw new OperationOutcomeError({
          resourceType: 'OperationOutcome',
          id: 'unprocessable-entity',
          issue,
        })
      }
    }
    if (this.fault === 'toStored not called') return resource
    return type.toStored?.(resource, previous) ?? resource
  }

  /** The row, which nobody else can change until the end of the transaction. */
  async #lock(session: Session, type: string, id: string): Promise<Row | undefined> {
    const lock = this.fault === 'previous read without lock' ? '' : ' for update'
    const { rows } = await session.client.query<Row>(
      `select * from resource where type = $1 and id = $2${lock}`,
      [type, id],
    )
    return rows[0]
  }

  async #write(session: Session, type: string, id: string, json: string | null): Promise<void> {
    await session.client.query(
      `with written as (
         insert into resource values ($1, $2, 1, $3)
           on conflict (type, id) do update set version = resource.version + 1, body = excluded.body
         returning *)
       insert into version select * from written`,
      [type, id, json],
    )
  }

  #isSameContent(one: FhirResource, other: FhirResource): boolean {
    const meta = ({ meta: { versionId: _v, lastUpdated: _l, ...rest } = {} }: FhirResource) =>
      this.fault === 'meta not compared' ? {} : rest
    return deepEquals({ ...one, meta: meta(one) }, { ...other, meta: meta(other) })
  }

  #record(session: Session, change: Change): void {
    session.unit.record(change)
  }
}
