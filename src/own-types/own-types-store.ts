import type { SearchRequest } from '@medplum/core'
import type { Bundle } from '@medplum/fhirtypes'
import type { FhirResource } from '../host/types.ts'
import { ResourceRepository, type RepositoryParts } from '../rest/storage/resource-repository.ts'
import type { ResourceStore } from '../rest/storage/resource-store.ts'
import type { Isolation, Session } from '../rest/storage/transactions.ts'
import type { OwnTypeSearch } from './own-type-search.ts'

export interface OwnTypesStoreParts extends RepositoryParts {
  readonly searches: ReadonlyMap<string, OwnTypeSearch>
}

/** The module's own resources for one request. */
export class OwnTypesStore implements ResourceStore {
  readonly resources: ResourceRepository
  readonly #parts: OwnTypesStoreParts

  /** @param session an open transaction of the host, to write in */
  constructor(parts: OwnTypesStoreParts, session?: Session) {
    this.#parts = parts
    this.resources = new ResourceRepository(parts, session)
  }

  search(request: SearchRequest): Promise<Bundle> {
    const { caller } = this.#parts
    return this.#searchOf(request).searchset(this.resources.tx, request, {
      clientBaseUrl: caller.clientBaseUrl,
      toAnswer: this.resources.toAnswer,
    })
  }

  async searchResources(request: SearchRequest): Promise<FhirResource[]> {
    const found = await this.#searchOf(request).find(this.resources.tx, request)
    return found.map(this.resources.toAnswer)
  }

  /** What must be alone, because it writes by what it has searched, keeps all other writers of the types out. They are few, and a
   *  lock has no losers that must be repeated. */
  withTransaction<Result>(
    work: () => Promise<Result>,
    { serializable = false }: Isolation = {},
  ): Promise<Result> {
    const { current } = this.#parts.versions.tables
    return this.resources.withTransaction(async () => {
      if (serializable) {
        await this.resources.tx.query(`lock table ${current} in share row exclusive mode`)
      }
      return work()
    })
  }

  #searchOf({ resourceType }: SearchRequest): OwnTypeSearch {
    const search = this.#parts.searches.get(resourceType)
    if (search) return search
    throw new TypeError(`${resourceType} is none of the module's own types.`)
  }
}
