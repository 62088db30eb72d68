import type { IncomingHttpHeaders } from 'node:http'
import type { Operation, ResourceInteraction } from '../../host/types.ts'
import type { ComingWrite } from '../before-write.ts'
import type { RestRequest, RoutedResponse } from '../routing.ts'
import type { ResourceStore } from '../storage/resource-store.ts'

export interface BundleTypes {
  isServed(resourceType: string): boolean
  interactionsOf(resourceType: string): readonly ResourceInteraction[]
  /** Whether what is posted keeps the id that the client gave it. */
  keepsId(resourceType: string): boolean
}

export interface BundleContext {
  readonly types: BundleTypes
  readonly store: ResourceStore
  readonly operations: readonly Operation[]
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
  /** Asked about each write of a registered type, before a transaction is opened. */
  readonly beforeWrite?: (write: ComingWrite) => Promise<void>
  /** Told of an error that the client hears nothing of but a 500 in one entry. */
  readonly onFailure: (error: unknown) => void
}
