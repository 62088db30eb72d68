import type { ResourceRepository } from '../storage/resource-repository.ts'
import type { IncomingHttpHeaders } from 'node:http'
import type { SearchRequest } from '@medplum/core'
import type { FhirResource, ResourceInteraction } from '../../host/types.ts'
import type { RestRequest, RoutedResponse } from '../routing.ts'
import type { Isolation } from '../storage/transactions.ts'

/** What a bundle needs of the resources that it is about. */
export interface BundleStore {
  readonly resources: Pick<ResourceRepository, 'confirm'>
  generateId(): string
  /** Current resources that fulfil the filters, at most `count`, as a reader sees them. */
  searchResources(search: SearchRequest): Promise<readonly FhirResource[]>
  /** Commits what `work` does, all or nothing; calls it again after a lost race. */
  withTransaction<Result>(work: () => Promise<Result>, isolation: Isolation): Promise<Result>
}

export interface BundleTypes {
  isServed(resourceType: string): boolean
  interactionsOf(resourceType: string): readonly ResourceInteraction[]
  /** Whether what is posted keeps the id that the client gave it. */
  keepsId(resourceType: string): boolean
}

export interface BundleContext {
  readonly types: BundleTypes
  readonly store: BundleStore
  /** Of the request that brought the bundle. */
  readonly headers: IncomingHttpHeaders
  /** Path of the base URL without slashes around it, which urls of entries may start with: `fhir`. */
  readonly basePath: string
  /** Runs the route of an entry as if it were a request of its own. A batch deletes leniently, and what is created keeps the id
   *  that was assigned to it. */
  readonly route: (
    request: RestRequest,
    options: { readonly batch: boolean },
  ) => Promise<RoutedResponse>
  /** Throws an OperationOutcomeError of 401 or 403 when the caller may not do it. Asked before a condition is searched: what it finds is
   *  an answer already. Absent: routes alone decide. */
  readonly authorize?: (interaction: string, resourceType: string) => Promise<void>
  /** Told of an error that the client hears nothing of but a 500 in one entry. */
  readonly onFailure: (error: unknown) => void
}
