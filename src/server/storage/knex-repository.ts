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
import { fromKnex } from '../../host/sql-tx.ts'
import type { CommitHooks, ResourceTypeDefinition } from '../../host/types.ts'
import { badRequestError } from '../../rest/outcomes.ts'
import type { Patch } from '../../rest/patch/patch.ts'
import type { WriteCondition } from '../../rest/preconditions.ts'
import { asJson, asResource } from '../../rest/resource-shapes.ts'
import type { Caller } from '../../rest/routing.ts'
import { ResourceRepository } from '../../rest/storage/resource-repository.ts'
import type { SearchIndex } from '../../rest/storage/resource-writes.ts'
import { StoredVersions } from '../../rest/storage/stored-versions.ts'
import type { Isolation } from '../../rest/storage/transactions.ts'
import { removeFromSearchIndex, writeSearchIndex } from '../search/search-index.ts'
import { searchResources } from '../search/search-resources.ts'
import { knexTransactions } from './knex-transactions.ts'
import { resourceTables } from './schema.ts'
import { assertValidR4 } from './validation.ts'

/** What all repositories of one server share. */
export interface RepositoryContext {
  readonly knex: Knex
  readonly hooks: CommitHooks[]
  /** Types of modules, by name. */
  readonly types: Map<string, ResourceTypeDefinition>
}

export const storedVersions: StoredVersions = new StoredVersions(resourceTables)

const searchIndex: SearchIndex = { write: writeSearchIndex, remove: removeFromSearchIndex }

/** The resources of one server, for one request, as fhir-router wants them. */
export class KnexRepository extends FhirRepository {
  readonly #caller: Caller
  /** What this class is around, for routes that need more than fhir-router's methods. */
  readonly resources: ResourceRepository

  constructor({ knex, hooks, types }: RepositoryContext, caller: Caller) {
    super()
    this.#caller = caller
    this.resources = new ResourceRepository({
      db: fromKnex(knex),
      begin: knexTransactions(knex),
      hooks,
      types,
      versions: storedVersions,
      caller,
      assertValidStandard: assertValidR4,
      searchIndex,
    })
  }

  setMode(): void {
    // Reads go where writes go, so that a client sees what it wrote.
  }

  generateId(): string {
    return this.resources.generateId()
  }

  async createResource<T extends Resource>(
    resource: T,
    { assignedId = false }: CreateResourceOptions = {},
  ): Promise<WithId<T>> {
    return asResource<T>(await this.resources.create(asJson(resource), assignedId))
  }

  async updateResource<T extends Resource>(
    resource: T,
    condition: UpdateResourceOptions & WriteCondition = {},
  ): Promise<WithId<T>> {
    const { stored } = await this.resources.update(asJson(resource), condition)
    return asResource<T>(stored)
  }

  async patchResource<T extends Resource>(
    resourceType: T['resourceType'],
    id: string,
    patch: Patch,
    condition: UpdateResourceOptions & WriteCondition = {},
  ): Promise<WithId<T>> {
    return asResource<T>(await this.resources.patch(resourceType, id, patch, condition))
  }

  async deleteResource(
    resourceType: string,
    id: string,
    condition: UpdateResourceOptions & WriteCondition = {},
  ): Promise<void> {
    await this.resources.delete(resourceType, id, condition)
  }

  async readResource<T extends Resource>(resourceType: string, id: string): Promise<WithId<T>> {
    return asResource<T>(await this.resources.read(resourceType, id))
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
    const found = await storedVersions.read(this.resources.tx, names)
    return names.map((name) => {
      const stored = found.get(name)
      return stored
        ? asResource<T>(this.resources.toAnswer(stored))
        : new OperationOutcomeError(notFound)
    })
  }

  async readHistory<T extends Resource>(
    resourceType: string,
    id: string,
    options: ReadHistoryOptions = {},
  ): Promise<Bundle<WithId<T>>> {
    return (await this.resources.readHistory(resourceType, id, options)) as Bundle<WithId<T>>
  }

  async readVersion<T extends Resource>(
    resourceType: string,
    id: string,
    vid: string,
  ): Promise<WithId<T>> {
    return asResource<T>(await this.resources.readVersion(resourceType, id, vid))
  }

  async search<T extends Resource>(request: SearchRequest<T>): Promise<Bundle<WithId<T>>> {
    const bundle = await searchResources(this.resources.tx, request, {
      clientBaseUrl: this.#caller.clientBaseUrl,
      toAnswer: this.resources.toAnswer,
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
    isolation: Isolation = {},
  ): Promise<Result> {
    return this.resources.withTransaction(async () => callback(this), isolation)
  }
}
