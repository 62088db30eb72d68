import type { IncomingHttpHeaders } from 'node:http'
import type { OperationOutcome, Resource } from '@medplum/fhirtypes'
import type { Principal, ResourceInteraction } from '../host/types.ts'

/** What a route does: an interaction with a type, an operation, or something with the whole server. */
export type RestInteraction =
  | ResourceInteraction
  | 'operation'
  | 'batch'
  | 'transaction'
  | 'search-system'
  | 'history-system'
  | 'history-type'

export type RestMethod = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS'

/** Parameters by name; a name that occurs several times has all values. */
export type QueryParameters = Record<string, string | string[] | undefined>

/** Outcome and resource of a route. Without resource the outcome is the answer. */
export type RestResponse =
  readonly [OperationOutcome] | readonly [OperationOutcome, Resource, ...unknown[]]

export interface RoutedResponse {
  readonly response: RestResponse
  readonly interaction: RestInteraction
  /** For the Allow header of a 405. */
  readonly allow?: readonly string[]
}

/** One request below the base, or one entry of a bundle, ready for its route. */
export interface RestRequest {
  readonly method: RestMethod
  /** Decoded: `['Patient', '1']`. */
  readonly segments: readonly string[]
  /** Query without the question mark, as the client encoded it. */
  readonly search: string
  readonly query: QueryParameters
  /** Parsed JSON, or the fields of a form that is a search. */
  readonly body?: unknown
  readonly headers: IncomingHttpHeaders
}

/** Who asks, and what their request says for the events it causes. */
export interface Caller {
  readonly principal?: Principal
  readonly correlationId?: string
  readonly traceparent?: string
  /** The base URL that the client used, for the links of a searchset. */
  readonly clientBaseUrl: string
}
