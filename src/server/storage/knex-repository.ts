import { randomUUID } from 'node:crypto'
import {
  notFound,
  OperationOutcomeError,
  Operator,
  type SearchRequest,
  type WithId,
} from '@medplum/core'
import {
  FhirRepository,
  type CreateResourceOptions,
  type ReadHistoryOptions,
  type UpdateResourceOptions,
} from '@medplum/fhir-router'
import type { Bundle, Reference, Resource } from '@medplum/fhirtypes'
import type { Knex } from 'knex'
import type { Operation } from 'rfc6902'
import { fromKnex } from '../../host/sql-tx.ts'
import type { CommitHooks, FhirResource, ResourceTypeDefinition, SqlTx } from '../../host/types.ts'
import type { Caller } from '../http/app.ts'
import { historyBundle } from './history-bundle.ts'
import { badRequestError } from '../http/outcomes.ts'
import { applyAnyPatch, type Patch } from '../patch/patch.ts'
import { asJson, asResource } from './resource-shapes.ts'
import {
  createStored,
  currentContent,
  deleteStored,
  patchStored,
  prepareCandidate,
  updateStored,
  type WriteContext,
} from './resource-writes.ts'
import { searchResources } from '../search/search-resources.ts'
import { readResources } from './stored-resources.ts'
import { readCurrent, readHistoryRows, readVersionRow } from './stored-versions.ts'
import { runNested, runTransaction, type Isolation, type Session } from './transactions.ts'

/** What all repositories of one server share. */
export interface RepositoryContext {
  readonly knex: Knex
  readonly hooks: CommitHooks[]
  /** Types of modules, by name. */
  readonly types: Map<string, ResourceTypeDefinition>
}

const defaultHistoryCount = 100
const maxHistoryCount = 1000

/** The resources of one server, for one request.
 *
 *  A write outside `withTransaction` is a transaction of its own. Inside, everything that is called on this same object takes
 *  part in the open transaction. */
export class KnexRepository extends FhirRepository {
  readonly #context: RepositoryContext
  readonly #caller: Caller
  readonly #writes: WriteContext
  readonly #created = new WeakSet<object>()
  #session: Session | undefined

  constructor(context: RepositoryContext, caller: Caller) {
    super()
    this.#context = context
    this.#caller = caller
    this.#writes = { types: context.types, caller }
  }

  setMode(): void {
    // Reads go where writes go, so that a client sees what it wrote.
  }

  generateId(): string {
    return randomUUID()
  }

  /** Whether that answer of `updateResource` is of a resource that was not there before. */
  wasCreated(stored: object): boolean {
    return this.#created.has(stored)
  }

  async createResource<T extends Resource>(
    resource: T,
    { assignedId = false }: CreateResourceOptions = {},
  ): Promise<WithId<T>> {
    const keepsId = assignedId || this.#context.types.has(resource.resourceType)
    const id = (keepsId ? resource.id : undefined) ?? this.generateId()
    const candidate = prepareCandidate(this.#writes, asJson(resource), id)
    const stored = await this.#write(async (session) =>
      createStored(this.#writes, session, candidate),
    )
    return this.#answer<T>(stored)
  }

  async updateResource<T extends Resource>(
    resource: T,
    { ifMatch }: UpdateResourceOptions = {},
  ): Promise<WithId<T>> {
    const candidate = prepareCandidate(this.#writes, asJson(resource), resource.id)
    const { stored, isCreated } = await this.#write(async (session) =>
      updateStored(this.#writes, session, candidate, ifMatch),
    )
    const answer = this.#answer<T>(stored)
    if (isCreated) this.#created.add(answer)
    return answer
  }

  async patchResource<T extends Resource>(
    resourceType: T['resourceType'],
    id: string,
    patch: Patch,
    { ifMatch }: UpdateResourceOptions = {},
  ): Promise<WithId<T>> {
    const apply = (resource: FhirResource): FhirResource => applyAnyPatch(resource, patch)
    const { stored } = await this.#write(async (session) =>
      patchStored(this.#writes, session, { resourceType, id }, apply, ifMatch),
    )
    return this.#answer<T>(stored)
  }

  override async conditionalPatch(search: SearchRequest, patch: Patch): Promise<WithId<Resource>> {
    // The base hands the patch to patchResource above, whatever its form.
    return super.conditionalPatch(search, patch as Operation[])
  }

  async deleteResource(
    resourceType: string,
    id: string,
    { ifMatch }: UpdateResourceOptions = {},
  ): Promise<void> {
    await this.#write(async (session) =>
      deleteStored(this.#writes, session, { resourceType, id }, ifMatch),
    )
  }

  async readResource<T extends Resource>(resourceType: string, id: string): Promise<WithId<T>> {
    const row = await readCurrent(this.#tx, resourceType, id)
    return this.#answer<T>(currentContent(this.#writes, resourceType, row))
  }

  async readReference<T extends Resource>({ reference }: Reference<T>): Promise<WithId<T>> {
    const [, resourceType, id] = /^([A-Za-z]+)\/([^/]+)$/.exec(reference ?? '') ?? []
    if (resourceType === undefined || id === undefined) {
      throw badRequestError('A reference to read has the form Type/id.', 'value')
    }
    return this.readResource(resourceType, id)
  }

  async readReferences<T extends Resource>(
    references: readonly Reference<T>[],
  ): Promise<(T | Error)[]> {
    const names = references.map(({ reference = '' }) => reference)
    const found = await readResources(this.#context.knex, names, this.#tx)
    return names.map((name) => {
      const stored = found.get(name)
      return stored ? this.#answer<T>(stored) : new OperationOutcomeError(notFound)
    })
  }

  async readHistory<T extends Resource>(
    resourceType: string,
    id: string,
    options: ReadHistoryOptions = {},
  ): Promise<Bundle<WithId<T>>> {
    const offset = checkedCount('_offset', options.offset ?? 0)
    const limit = Math.min(
      checkedCount('_count', options.limit ?? defaultHistoryCount),
      maxHistoryCount,
    )
    const current = await readCurrent(this.#tx, resourceType, id)
    if (!current) throw new OperationOutcomeError(notFound)
    const rows = await readHistoryRows(this.#tx, resourceType, id, { offset, limit })
    const baseUrl = this.#caller.clientBaseUrl
    // Versions are numbered without gaps.
    const total = current.version_id
    return historyBundle(
      { resourceType, id, baseUrl, total, offset, limit, rows },
      this.#toAnswer,
    ) as Bundle<WithId<T>>
  }

  async readVersion<T extends Resource>(
    resourceType: string,
    id: string,
    vid: string,
  ): Promise<WithId<T>> {
    // No more digits than a version can have.
    const row = /^[1-9]\d{0,8}$/.test(vid)
      ? await readVersionRow(this.#tx, resourceType, id, Number(vid))
      : undefined
    return this.#answer<T>(currentContent(this.#writes, resourceType, row))
  }

  async search<T extends Resource>(request: SearchRequest<T>): Promise<Bundle<WithId<T>>> {
    const bundle = await searchResources(this.#tx, request, {
      clientBaseUrl: this.#caller.clientBaseUrl,
      toAnswer: this.#toAnswer,
    })
    return bundle as Bundle<WithId<T>>
  }

  async searchByReference<T extends Resource>(
    request: SearchRequest<T>,
    referenceField: string,
    references: string[],
  ): Promise<Record<string, WithId<T>[]>> {
    const found: [string, WithId<T>[]][] = []
    for (const reference of references) {
      const filter = { code: referenceField, operator: Operator.EQUALS, value: reference }
      const filters = [...(request.filters ?? []), filter]
      found.push([reference, await this.searchResources({ ...request, filters })])
    }
    return Object.fromEntries(found)
  }

  /** Commits what `callback` does on this object, all or nothing. A lost race calls it again; inside an open transaction it is
   *  a savepoint. */
  async withTransaction<Result>(
    callback: (repository: this) => Promise<Result>,
    options: Isolation = {},
  ): Promise<Result> {
    const outer = this.#session
    const work = async (session: Session): Promise<Result> => {
      this.#session = session
      try {
        return await callback(this)
      } finally {
        this.#session = outer
      }
    }
    return outer
      ? runNested(outer, work, options)
      : runTransaction(this.#context.knex, this.#context.hooks, work, options)
  }

  get #tx(): SqlTx {
    return this.#session?.tx ?? fromKnex(this.#context.knex)
  }

  async #write<Result>(work: (session: Session) => Promise<Result>): Promise<Result> {
    if (this.#session) return work(this.#session)
    return runTransaction(this.#context.knex, this.#context.hooks, work)
  }

  #answer<T extends Resource>(stored: FhirResource): WithId<T> {
    return asResource(this.#toAnswer(stored))
  }

  readonly #toAnswer = (stored: FhirResource): FhirResource =>
    this.#context.types.get(stored.resourceType)?.toAnswer?.(stored) ?? stored
}

function checkedCount(name: string, count: number): number {
  if (Number.isSafeInteger(count) && count >= 0) return count
  throw badRequestError(`${name} must be a whole number from 0.`, 'value')
}
