import type { Overview } from '../monitor/delivery-monitor.ts'
import { destinationRoutes } from './destination-routes.ts'
import type { ConsoleCaller, ConsoleOptions } from './console-options.ts'
import { resourceRoutes } from './resource-routes.ts'
import { topicRoutes } from './topic-routes.ts'

/** What a route knows of a request. */
export interface RouteRequest {
  readonly caller: ConsoleCaller
  /** Of the path, decoded. */
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  /** Parsed JSON; undefined where the method has none. */
  readonly body: unknown
  /** What the caller may know of all destinations.
   *  @throws ConsoleError 503 */
  readonly overview: () => Promise<Overview>
}

export type RouteParts = Pick<ConsoleOptions, 'module' | 'fhir' | 'health' | 'topology'>

export interface ConsoleRoute {
  readonly method: 'GET' | 'POST'
  /** Below /api; `:name` is a parameter. */
  readonly path: string
  /** Names of the query with what they mean. */
  readonly query?: Readonly<Record<string, string>>
  /** `write`: needs a caller who may change something. */
  readonly right: 'read' | 'write'
  /** What it does and answers. */
  readonly doc: string
  /** Whether it answers `text/event-stream` as well: the same answer as an event `view`, whenever it has changed. */
  readonly isLive?: true
  readonly handle: (request: RouteRequest, parts: RouteParts) => unknown
}

/** Every route of the API but those of the session and the tail, which the router answers itself. The documentation is made of this table. */
export const consoleRoutes: readonly ConsoleRoute[] = [
  ...destinationRoutes,
  ...topicRoutes,
  ...resourceRoutes,
]
