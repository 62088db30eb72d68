import { notFound } from '@medplum/core'
import type { FhirHost, Operation, Principal, ResourceTypeDefinition } from '../host/types.ts'
import { assertBeforeWrite } from '../rest/before-write.ts'
import { methodNotAllowed } from '../rest/outcomes.ts'
import { answerOperation, assertOutsideTransaction, operationAt } from '../rest/operations.ts'
import { isId } from '../rest/resource-id.ts'
import type { RestMethod, RestRequest, RoutedResponse } from '../rest/routing.ts'
import {
  historyRoutes,
  instanceRoutes,
  searchRoutes,
  typeRoutes,
  validateRoutes,
  versionRoutes,
  type Route,
  type RouteCall,
  type Routes,
} from './interactions.ts'
import type { OwnTypesStore } from './own-types-store.ts'

export interface RouteContext {
  readonly types: ReadonlyMap<string, ResourceTypeDefinition>
  readonly operations: readonly Operation[]
  readonly store: OwnTypesStore
  readonly principal?: Principal | undefined
  readonly authorize?: FhirHost['authorize']
  /** The host has a transaction open. */
  readonly isWithinTransaction: boolean
}

/** Answers a request for one of the module's own types, or an entry of a bundle. What has no route answers 405 when its path has
 *  routes of other methods, else 404.
 *  @param options of an entry of a bundle: `batch` is false in a transaction
 *  @throws OperationOutcomeError */
export async function routeOwnTypes(
  request: RestRequest,
  context: RouteContext,
  options?: { readonly batch?: boolean },
): Promise<RoutedResponse> {
  const found = resolve(request, context, options?.batch === false)
  if (!found) return { response: [notFound], interaction: 'operation' }
  const { routes, call } = found
  const method = request.method === 'HEAD' ? 'GET' : request.method
  const route = routes[method]
  const allow = allowedMethods(routes, call)
  const isHeadOfOperation = request.method === 'HEAD' && route?.interaction === 'operation'
  if (!route || isHeadOfOperation || !allow.includes(method)) {
    const text = route && !isHeadOfOperation ? notOffered(call, route) : notPossible(request)
    return { response: [methodNotAllowed(text)], interaction: 'operation', allow }
  }
  const { type, id } = call
  const reference = id === undefined ? type : `${type}/${id}`
  await context.authorize?.(context.principal, route.action ?? route.interaction, reference)
  // Of a bundle's entries it was asked before a transaction was opened.
  if (!options && !context.isWithinTransaction) {
    const { definition, store } = call
    await assertBeforeWrite(definition, {
      interaction: route.interaction,
      resourceType: type,
      id,
      body: request.body,
      query: request.query,
      read: (resourceId) => store.resources.read(type, resourceId),
    })
  }
  return { response: await route.handle(call), interaction: route.interaction }
}

interface Found {
  readonly routes: Routes
  readonly call: RouteCall
}

/** The routes of a path; undefined when it is no address. */
function resolve(
  request: RestRequest,
  context: RouteContext,
  isOfTransaction: boolean,
): Found | undefined {
  const [type = '', second, third, fourth, ...more] = request.segments
  const definition = context.types.get(type)
  if (!definition || more.length > 0) return undefined
  const call: RouteCall = { type, definition, request, isOfTransaction, store: context.store }
  if (second === undefined) return { routes: typeRoutes, call }
  if (third === undefined) {
    if (second === '_search') return { routes: searchRoutes, call }
    if (!second.startsWith('$')) return { routes: instanceRoutes, call: { ...call, id: second } }
    return operationOf(second, call, context)
  }
  const ofInstance = { ...call, id: second }
  if (third === '_history') {
    if (fourth === undefined) return { routes: historyRoutes, call: ofInstance }
    return { routes: versionRoutes, call: { ...ofInstance, versionId: fourth } }
  }
  if (fourth !== undefined || !third.startsWith('$')) return undefined
  return operationOf(third, ofInstance, context)
}

function operationOf(name: string, call: RouteCall, context: RouteContext): Found | undefined {
  if (name === '$validate') return { routes: validateRoutes, call }
  const { type, id } = call
  const segments = [type, ...(id === undefined ? [] : [id]), name]
  const operation = operationAt(context.operations, segments)
  if (!operation) return undefined
  const route: Route = {
    interaction: 'operation',
    action: operation.code,
    handle: async ({ request: { method, body }, store }) => {
      const { principal, isWithinTransaction } = context
      if (isWithinTransaction) assertOutsideTransaction(operation)
      return answerOperation(
        operation,
        { method: method === 'POST' ? 'POST' : 'GET', id, body, principal },
        (instanceId) => store.resources.read(type, instanceId),
      )
    },
  }
  return {
    call,
    routes: Object.fromEntries(operation.methods.map((method) => [method, route])),
  }
}

/** In the order that clients are told them. */
const methods: readonly RestMethod[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']

function allowedMethods(routes: Routes, { definition, id }: RouteCall): RestMethod[] {
  if (id !== undefined && !isId(id)) return ['GET']
  return methods.filter((method) => {
    const interaction = routes[method]?.interaction
    if (interaction === undefined || interaction === 'operation') return interaction !== undefined
    return definition.interactions.some((offered) => offered === interaction)
  })
}

function notOffered({ type }: RouteCall, { interaction }: Route): string {
  return `${type} does not offer the interaction ${interaction}.`
}

function notPossible({ method }: RestRequest): string {
  return `${method} is not possible here.`
}
