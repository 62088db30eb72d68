import type { FhirRepository } from '@medplum/fhir-router'
import { asJson } from '../../rest/resource-shapes.ts'
import type { ResourceStore } from '../../rest/storage/resource-store.ts'
import { inTransaction } from './in-transaction.ts'
import type { KnexRepository } from './knex-repository.ts'

/** The one repository that this server's routes are ever called with. */
export function knexRepository(repository: FhirRepository): KnexRepository {
  return repository as KnexRepository
}

/** What conditional interactions and bundles need of it. */
export function storeOf(repository: FhirRepository): ResourceStore {
  return {
    resources: knexRepository(repository).resources,
    searchResources: async (search) => (await repository.searchResources(search)).map(asJson),
    withTransaction: async (work, isolation) => inTransaction(repository, work, isolation),
  }
}
