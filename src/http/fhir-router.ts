import type {
  FhirRepository,
  FhirRequest,
  FhirResponse,
  FhirRouter,
  FhirRouteHandler,
} from '@medplum/fhir-router'
import type { Operation, Principal, ResourceTypeDefinition } from '../host/types.ts'
import {
  OwnTypesHost,
  type HostTransaction,
  type OwnTypesHostOptions,
} from '../own-types/own-types-host.ts'
import { isRetryable } from '../rest/database-errors.ts'
import { toRestRequest } from '../rest/rest-request.ts'

export { statusOf } from '../rest/outcomes.ts'

/** `Repository`: the host's own class. */
export interface FhirRouterHostOptions<
  Repository extends FhirRepository = FhirRepository,
> extends OwnTypesHostOptions {
  /** Who made the request that a repository serves; goes to `authorize`. Default: nobody in particular. */
  readonly principalOf?: (repository: Repository) => Principal | undefined
  /** The open transaction of a repository, as a transaction bundle has one: entries of the module's types are written in it.
   *  Default: each of them commits for itself, whatever becomes of the bundle. */
  readonly transactionOf?: (repository: Repository) => HostTransaction | undefined
}

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/** A host for the module in a server on @medplum/fhir-router 4.5 or 5: it keeps the module's two types, and literal routes, which
 *  precede those for all types, serve them. They hold in bundles too, where the router would overwrite the ids of clients.
 *
 *  The HTTP layer of the server writes the answers; `statusOf` gives the status of an outcome, 405 and 422 among them. */
export class FhirRouterHost<
  Repository extends FhirRepository = FhirRepository,
> extends OwnTypesHost {
  readonly #options: FhirRouterHostOptions<Repository>
  readonly #routers: FhirRouter[] = []
  readonly #paths: string[] = []

  constructor(options: FhirRouterHostOptions<Repository>) {
    super(options)
    this.#options = options
  }

  /** Adds the routes of everything that is registered, now or later. */
  addRoutes(router: FhirRouter): void {
    this.#routers.push(router)
    for (const path of this.#paths) this.#addTo(router, path)
  }

  override registerResourceType(definition: ResourceTypeDefinition): void {
    super.registerResourceType(definition)
    const { type } = definition.definition
    for (const path of [
      type,
      `${type}/_search`,
      `${type}/$validate`,
      `${type}/:id`,
      `${type}/:id/$validate`,
      `${type}/:id/_history`,
      `${type}/:id/_history/:versionId`,
    ]) {
      this.#addPath(path)
    }
  }

  override registerOperation(operation: Operation): void {
    super.registerOperation(operation)
    const { resourceType, level, code } = operation
    this.#addPath(`${resourceType}/${level === 'instance' ? ':id/' : ''}$${code}`)
  }

  #addPath(path: string): void {
    this.#paths.push(path)
    for (const router of this.#routers) this.#addTo(router, path)
  }

  /** Every method: what is not possible answers 405, which the router has no outcome for. */
  #addTo(router: FhirRouter, path: string): void {
    const handler: FhirRouteHandler = async (request, repository) =>
      // Only who calls the router knows the class of its repositories.
      this.#respond(path, request, repository as Repository)
    for (const method of methods) router.add(method, path, handler, 'operation')
  }

  async #respond(
    path: string,
    request: FhirRequest,
    repository: Repository,
  ): Promise<FhirResponse> {
    const transaction = this.#options.transactionOf?.(repository)
    try {
      const { response } = await this.route(restRequestOf(path, request), {
        principal: this.#options.principalOf?.(repository),
        transaction,
      })
      const [outcome, resource] = response
      return resource === undefined ? [outcome] : [outcome, resource]
    } catch (error) {
      // The repository repeats its transaction.
      if (transaction && isRetryable(error)) throw error
      return [this.outcomeOf(error)]
    }
  }
}

function restRequestOf(path: string, request: FhirRequest): ReturnType<typeof toRestRequest> {
  const { method, params, query, headers = {} } = request
  const segments = path
    .split('/')
    .map((part) => (part.startsWith(':') ? (params[part.slice(1)] ?? '') : part))
  const parameters = Object.entries(query).flatMap(([name, values]) =>
    [values ?? []].flat().map((value): [string, string] => [name, value]),
  )
  const search = new URLSearchParams(parameters).toString()
  const body: unknown = request.body
  return toRestRequest(
    { method, headers },
    { segments, search, query },
    body === undefined ? undefined : { parsed: body },
  )
}

/** @throws TopicDestinationError `KTD_INVALID_OPTION` */
export function fhirRouterHost<Repository extends FhirRepository = FhirRepository>(
  options: FhirRouterHostOptions<Repository>,
): FhirRouterHost<Repository> {
  return new FhirRouterHost(options)
}
