import { allOk, badRequest, notFound } from '@medplum/core'
import {
  FhirRouter,
  type FhirRepository,
  type FhirRequest,
  type FhirRouteHandler,
  type FhirRouteOptions,
  type HttpMethod,
} from '@medplum/fhir-router'
import type { Bundle } from '@medplum/fhirtypes'
import { resourceInteractions, type Operation, type ResourceInteraction } from '../../host/types.ts'
import { assertBeforeWrite, type ComingWrite } from '../../rest/before-write.ts'
import { processBundle } from '../../rest/bundles/bundle.ts'
import type { BundleContext } from '../../rest/bundles/bundle-context.ts'
import { badRequestError, errorOutcome, methodNotAllowed } from '../../rest/outcomes.ts'
import { completedBody } from '../../rest/resource-body.ts'
import { asJson } from '../../rest/resource-shapes.ts'
import { isId } from '../../rest/resource-id.ts'
import { hasCriteria, parseSearch } from '../../rest/search/parse-search.ts'
import { searchByGet, searchByPost } from '../search/search-routes.ts'
import type { RestInteraction, RestRequest, RoutedResponse } from '../../rest/routing.ts'
import { storeOf } from '../storage/store-of.ts'
import { basePath } from './base-path.ts'
import type { ServedResourceTypes } from './served-types.ts'
import { validateRoute } from './validate-route.ts'
import {
  create,
  deleteMatch,
  patch,
  patchMatch,
  remove,
  update,
  updateMatch,
} from './write-routes.ts'

/** The routes of fhir-router, with what it leaves to its host: unknown types, interactions that a type does not offer,
 *  bodies without resourceType, and conditions that would match everything. They hold for entries of bundles too. */
export function createRouter(
  types: ServedResourceTypes,
  operationsNow: () => readonly Operation[],
  onFailure: BundleContext['onFailure'],
): FhirRouter {
  const router = new FhirRouter()
  const stock = router.router.routes.splice(0)
  const own = ownHandlers(types)
  for (const { method, path, handler, data } of stock) {
    const interaction = data?.interaction
    // Not taken over: search over all types and GraphQL.
    if (!isResourceInteraction(interaction)) continue
    const template = path.map(({ value, param }) => (param ? `:${value}` : value)).join('/')
    const chosen = own[`${method} ${template}`] ?? handler
    router.add(method, template, guarded(types, interaction, template, chosen), interaction)
  }
  const validate = validateRoute(types.registered)
  for (const path of [':resourceType/$validate', ':resourceType/:id/$validate']) {
    router.add('POST', path, served(types, validate), 'operation')
  }
  router.add('POST', '', bundleRoute(types, operationsNow, onFailure), 'batch')
  return router
}

/** Where fhir-router's handlers fall short: 201 of an update, If-Match on all writes, patches other than JSON Patch, searches. */
function ownHandlers(types: ServedResourceTypes): Readonly<Record<string, FhirRouteHandler>> {
  return {
    'GET :resourceType': searchByGet,
    'POST :resourceType/_search': searchByPost,
    'POST :resourceType': create,
    'PUT :resourceType': updateMatch,
    'DELETE :resourceType': deleteMatch,
    'PUT :resourceType/:id': update,
    'PATCH :resourceType/:id': patch,
    'PATCH :resourceType': patchMatch,
    'DELETE :resourceType/:id': remove(types),
  }
}

function bundleRoute(
  types: ServedResourceTypes,
  operationsNow: () => readonly Operation[],
  onFailure: BundleContext['onFailure'],
): FhirRouteHandler {
  return async (request, repository, router) => {
    const body: unknown = request.body
    if (!isBundle(body))
      throw badRequestError('Only a Bundle of type batch or transaction can be posted here.')
    const bundle = await processBundle(body, {
      types,
      store: storeOf(repository),
      operations: operationsNow(),
      headers: request.headers ?? {},
      basePath,
      route: async (entry, options) =>
        dispatch(router, types, toFhirRequest(entry), repository, options),
      beforeWrite: (write) => assertBeforeWrite(types.registered.get(write.resourceType), write),
      onFailure,
    })
    return [allOk, bundle]
  }
}

/** A request as fhir-router takes it. */
export function toFhirRequest({ segments, search, body, ...rest }: RestRequest): FhirRequest {
  return {
    ...rest,
    body,
    url: segments.join('/') + (search === '' ? '' : `?${search}`),
    pathname: '',
    params: {},
    config: { transactions: true },
  }
}

const methods: readonly HttpMethod[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']

/** Runs the route of a request; a request without a route answers 405 when its path has routes of other methods, else 404. */
export async function dispatch(
  router: FhirRouter,
  types: ServedResourceTypes,
  request: FhirRequest,
  repository: FhirRepository,
  options?: FhirRouteOptions,
): Promise<RoutedResponse> {
  const method = request.method === 'HEAD' ? 'GET' : request.method
  const route = router.find(method, request.url)
  const interaction = route?.data?.interaction ?? 'operation'
  if (!route || (request.method === 'HEAD' && interaction === 'operation'))
    return refusal(router, types, request)
  // The router's own handleRequest would turn every error into a 400 that quotes its message.
  const routed: FhirRequest = { ...request, method, params: route.params, pathname: route.path }
  const response = await route.handler(routed, repository, router, options)
  const [outcome] = response
  return outcome.id === 'method-not-allowed'
    ? { response, interaction, allow: allowedMethods(router, types, request.url) }
    : { response, interaction }
}

function refusal(
  router: FhirRouter,
  types: ServedResourceTypes,
  { method, url }: FhirRequest,
): RoutedResponse {
  const allow = allowedMethods(router, types, url)
  if (allow.length === 0) return { response: [notFound], interaction: 'operation' }
  const outcome = methodNotAllowed(`${method} is not possible here.`)
  return { response: [outcome], interaction: 'operation', allow }
}

function allowedMethods(router: FhirRouter, types: ServedResourceTypes, url: string): HttpMethod[] {
  return methods.filter((method) => {
    const route = router.find(method, url)
    const interaction = route?.data?.interaction
    const { resourceType, id } = route?.params ?? {}
    if (resourceType === undefined || !isResourceInteraction(interaction))
      return route !== undefined
    if (id !== undefined && !isId(id)) return false
    return types.interactionsOf(resourceType).includes(interaction)
  })
}

function guarded(
  types: ServedResourceTypes,
  interaction: ResourceInteraction,
  template: string,
  handler: FhirRouteHandler,
): FhirRouteHandler {
  const isConditional =
    template === ':resourceType' && !['create', 'search-type'].includes(interaction)
  return served(types, async (request, repository, router, options) => {
    const { resourceType = '', id } = request.params
    if (!types.interactionsOf(resourceType).includes(interaction)) {
      return [methodNotAllowed(`${resourceType} does not offer the interaction ${interaction}.`)]
    }
    if (isConditional && !hasCriteria(parseSearch(resourceType, request.query))) {
      return [badRequest(`A conditional ${interaction} needs search parameters.`)]
    }
    const body =
      interaction === 'create' || interaction === 'update'
        ? completedBody(request.body, resourceType, id)
        : (request.body as unknown)
    // Of a bundle's entries it was asked before a transaction was opened.
    if (!options) {
      await assertBeforeWrite(
        types.registered.get(resourceType),
        comingWrite(interaction, { ...request, body }, repository),
      )
    }
    return handler({ ...request, body }, repository, router, options)
  })
}

function comingWrite(
  interaction: ResourceInteraction,
  { params, body, query }: FhirRequest,
  repository: FhirRepository,
): ComingWrite {
  const { resourceType = '', id } = params
  return {
    interaction,
    resourceType,
    id,
    body: body as unknown,
    query,
    read: async (resourceId) => asJson(await repository.readResource(resourceType, resourceId)),
  }
}

/** 404 for a type that the server does not have. */
function served(types: ServedResourceTypes, handler: FhirRouteHandler): FhirRouteHandler {
  return async (request, repository, router, options) => {
    const { resourceType = '' } = request.params
    if (types.isServed(resourceType)) return handler(request, repository, router, options)
    return [
      errorOutcome(
        'not-found',
        'not-supported',
        `This server has no resource type ${resourceType}.`,
      ),
    ]
  }
}

function isBundle(body: unknown): body is Bundle {
  return (
    typeof body === 'object' &&
    body !== null &&
    'resourceType' in body &&
    body.resourceType === 'Bundle'
  )
}

function isResourceInteraction(
  interaction: RestInteraction | undefined,
): interaction is ResourceInteraction {
  return resourceInteractions.some((known) => known === interaction)
}
