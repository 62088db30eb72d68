import type { SearchRequest } from '@medplum/core'
import type { FhirResource } from '../../host/types.ts'
import type { ResourceRepository } from './resource-repository.ts'
import type { Isolation } from './transactions.ts'

/** Where conditional interactions and bundles search and write. */
export interface ResourceStore {
  readonly resources: ResourceRepository
  /** Current resources that fulfil the filters, at most `count`, as a reader sees them. */
  searchResources(search: SearchRequest): Promise<readonly FhirResource[]>
  /** Commits what `work` does, all or nothing; calls it again after a lost race. */
  withTransaction<Result>(work: () => Promise<Result>, isolation: Isolation): Promise<Result>
}
