import { badRequest, notFound } from '@medplum/core'
import {
  FhirRouter,
  type FhirRepository,
  type FhirRequest,
  type FhirResponse,
  type FhirRouteHandler,
  type HttpMethod,
  type RestInteraction,
} from '@medplum/fhir-router'
import { resourceInteractions, type ResourceInteraction } from '../host/types.ts'
import { badRequestError, errorOutcome, methodNotAllowed } from './outcomes.ts'

/** What the routes need to know of the served resource types. */
export interface ServedTypes {
  isServed(resourceType: string): boolean
  interactionsOf(resourceType: string): readonly ResourceInteraction[]
}

export interface RoutedResponse {
  readonly response: FhirResponse
  readonly interaction: RestInteraction
  /** For the Allow header of a 405. */
  readonly allow?: readonly string[]
}

/** The routes of fhir-router, with what it leaves to its host: unknown types, interactions that a type does not offer,
 *  bodies without resourceType, and conditions that would match everything. They hold for entries of bundles too. */
export function createRouter(types: ServedTypes, batch: FhirRouteHandler): FhirRouter {
  const router = new FhirRouter()
  const stock = router.router.routes.splice(0)
  for (const { method, path, handler, data } of stock) {
    const interaction = data?.interaction
    // Not taken over: search over all types and GraphQL.
    if (!isResourceInteraction(interaction)) continue
    const template = path.map(({ value, param }) => (param ? `:${value}` : value)).join('/')
    router.add(method, template, guarded(types, interaction, template, handler), interaction)
  }
  router.add('POST', '', batch, 'batch')
  return router
}

const methods: readonly HttpMethod[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']

/** Runs the route of a request; a request without a route answers 405 when its path has routes of other methods, else 404. */
export async function dispatch(
  router: FhirRouter,
  request: FhirRequest,
  repository: FhirRepository,
): Promise<RoutedResponse> {
  const method = request.method === 'HEAD' ? 'GET' : request.method
  const route = router.find(method, request.url)
  const interaction = route?.data?.interaction ?? 'operation'
  if (!route || (request.method === 'HEAD' && interaction === 'operation'))
    return refusal(router, request)
  // The router's own handleRequest would turn every error into a 400 that quotes its message.
  const routed: FhirRequest = { ...request, method, params: route.params, pathname: route.path }
  const response = await route.handler(routed, repository, router)
  const [outcome] = response
  return outcome.id === 'method-not-allowed'
    ? {
        response,
        interaction,
        allow: allowedMethods(router, request.url).filter((allowed) => allowed !== method),
      }
    : { response, interaction }
}

function refusal(router: FhirRouter, { method, url }: FhirRequest): RoutedResponse {
  const allow = allowedMethods(router, url)
  if (allow.length === 0) return { response: [notFound], interaction: 'operation' }
  const outcome = methodNotAllowed(`${method} is not possible here.`)
  return { response: [outcome], interaction: 'operation', allow }
}

function allowedMethods(router: FhirRouter, url: string): HttpMethod[] {
  return methods.filter((method) => router.find(method, url) !== undefined)
}

function guarded(
  types: ServedTypes,
  interaction: ResourceInteraction,
  template: string,
  handler: FhirRouteHandler,
): FhirRouteHandler {
  const isConditional =
    template === ':resourceType' && !['create', 'search-type'].includes(interaction)
  return async (request, repository, router, options) => {
    const { resourceType = '', id } = request.params
    if (!types.isServed(resourceType)) return [unknownType(resourceType)]
    if (!types.interactionsOf(resourceType).includes(interaction)) {
      return [methodNotAllowed(`${resourceType} does not offer the interaction ${interaction}.`)]
    }
    if (isConditional && !hasCriteria(request)) {
      return [badRequest(`A conditional ${interaction} needs search parameters.`)]
    }
    const body =
      interaction === 'create' || interaction === 'update'
        ? completedBody(request.body, resourceType, id)
        : (request.body as unknown)
    return await handler({ ...request, body }, repository, router, options)
  }
}

/** A client may leave out resourceType, and the id of an update: the URL says both.
 *  @throws OperationOutcomeError `bad-request` when body and URL disagree */
function completedBody(body: unknown, resourceType: string, id: string | undefined): object {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw badRequestError('The body must be a resource.', 'structure')
  }
  const given: { resourceType?: unknown; id?: unknown } = body
  if (given.resourceType !== undefined && given.resourceType !== resourceType) {
    throw badRequestError(`The body must be a resource of the type in the URL, ${resourceType}.`)
  }
  if (id === undefined) return { resourceType, ...body }
  if (!/^[A-Za-z0-9\-.]{1,64}$/.test(id)) {
    throw badRequestError('An id has 1 to 64 characters of A-Z, a-z, 0-9, - and .', 'value')
  }
  if (given.id !== undefined && given.id !== id) {
    throw badRequestError(`The id in the body must be the one in the URL, ${id}.`)
  }
  return { resourceType, id, ...body }
}

function hasCriteria({ query }: FhirRequest): boolean {
  return Object.keys(query).some((name) => !presentationParameters.has(name))
}

/** Parameters that choose how an answer looks: they are no condition. */
export const presentationParameters: ReadonlySet<string> = new Set([
  '_format',
  '_pretty',
  '_summary',
  '_elements',
])

export function unknownType(resourceType: string): FhirResponse[0] {
  return errorOutcome(
    'not-found',
    'not-supported',
    `This server has no resource type ${resourceType}.`,
  )
}

function isResourceInteraction(
  interaction: RestInteraction | undefined,
): interaction is ResourceInteraction {
  return resourceInteractions.some((known) => known === interaction)
}
