import {
  allOk,
  created,
  multipleMatches,
  notFound,
  OperationOutcomeError,
  type SearchRequest,
} from '@medplum/core'
import type { FhirResource, ResourceTypeDefinition } from '../host/types.ts'
import { deleteIfPresent, deleteMatches, type DeletableResources } from '../rest/deletes.ts'
import { badRequestError } from '../rest/outcomes.ts'
import { conditionalIdFault, writeCondition } from '../rest/preconditions.ts'
import { issuesOfRegistered } from '../rest/registered-validation.ts'
import { completedBody, patchBody } from '../rest/resource-body.ts'
import { asResource } from '../rest/resource-shapes.ts'
import type { RestInteraction, RestMethod, RestRequest, RestResponse } from '../rest/routing.ts'
import {
  hasCriteria,
  parsePostedSearch,
  parseSearch,
  parseSearchText,
} from '../rest/search/parse-search.ts'
import { resourceToValidate, validationOutcome } from '../rest/validate.ts'
import type { OwnTypesStore } from './own-types-store.ts'

/** A request whose path was understood. */
export interface RouteCall {
  readonly type: string
  readonly definition: ResourceTypeDefinition
  readonly id?: string
  readonly versionId?: string
  readonly request: RestRequest
  /** An entry of a transaction. */
  readonly isOfTransaction: boolean
  readonly store: OwnTypesStore
}

export interface Route {
  readonly interaction: RestInteraction
  /** What `authorize` is asked for; default: the interaction. */
  readonly action?: string
  readonly handle: (call: RouteCall) => Promise<RestResponse>
}

/** The routes of one path. */
export type Routes = Partial<Record<RestMethod, Route>>

export const typeRoutes: Routes = {
  GET: {
    interaction: 'search-type',
    handle: async ({ store, type, request }) => [
      allOk,
      await store.search(parseSearch(type, request.query)),
    ],
  },
  POST: { interaction: 'create', handle: create },
  PUT: { interaction: 'update', handle: conditionalUpdate },
  PATCH: { interaction: 'patch', handle: conditionalPatch },
  DELETE: { interaction: 'delete', handle: conditionalDelete },
}

export const searchRoutes: Routes = {
  POST: {
    interaction: 'search-type',
    handle: async ({ store, type, request }) => [
      allOk,
      await store.search(parsePostedSearch(type, request)),
    ],
  },
}

export const instanceRoutes: Routes = {
  GET: {
    interaction: 'read',
    handle: async ({ store, type, id = '' }) => ok(await store.resources.read(type, id)),
  },
  PUT: {
    interaction: 'update',
    handle: async ({ store, type, id, request }) => {
      const body = completedBody(request.body, type, id) as FhirResource
      const { stored, isCreated } = await store.resources.update(
        body,
        writeCondition(request.headers),
      )
      return [isCreated ? created : allOk, asResource(stored)]
    },
  },
  PATCH: {
    interaction: 'patch',
    handle: async ({ store, type, id = '', request }) => {
      const patch = patchBody(request.body)
      return ok(await store.resources.patch(type, id, patch, writeCondition(request.headers)))
    },
  },
  DELETE: { interaction: 'delete', handle: remove },
}

export const historyRoutes: Routes = {
  GET: {
    interaction: 'history-instance',
    handle: async ({ store, type, id = '', request }) => {
      const { count, offset } = parseSearch(type, request.query)
      const page = {
        ...(count === undefined ? {} : { limit: count }),
        ...(offset === undefined ? {} : { offset }),
      }
      return [allOk, await store.resources.readHistory(type, id, page)]
    },
  },
}

export const versionRoutes: Routes = {
  GET: {
    interaction: 'vread',
    handle: async ({ store, type, id = '', versionId = '' }) =>
      ok(await store.resources.readVersion(type, id, versionId)),
  },
}

/** `POST Type/$validate` and `POST Type/id/$validate` (https://hl7.org/fhir/R4/resource-operation-validate.html). */
export const validateRoutes: Routes = {
  POST: {
    interaction: 'operation',
    action: 'validate',
    handle: async ({ store, type, id, request, definition }) => {
      const stored = () => (id === undefined ? undefined : store.resources.read(type, id))
      const resource = await resourceToValidate(type, request.body, stored)
      const issue = await issuesOfRegistered(definition, resource)
      return [allOk, validationOutcome(issue)]
    },
  },
}

/** POST Type, under the condition of If-None-Exist when there is one. */
async function create({ store, type, request }: RouteCall): Promise<RestResponse> {
  const body = completedBody(request.body, type, undefined) as FhirResource
  const write = async (): Promise<RestResponse> => [
    created,
    asResource(await store.resources.create(body)),
  ]
  const [condition] = [request.headers['if-none-exist']].flat()
  if (condition === undefined) return write()
  const search = parseSearchText(type, condition)
  // A condition that every resource fulfils would never create anything.
  if (!hasCriteria(search)) throw badRequestError('If-None-Exist needs search parameters.')
  return store.withTransaction(
    async () => {
      const match = await findOne(store, search)
      return match ? ok(match) : write()
    },
    { serializable: true },
  )
}

/** PUT Type?criteria */
async function conditionalUpdate(call: RouteCall): Promise<RestResponse> {
  const { store, type, request } = call
  const body = completedBody(request.body, type, undefined) as FhirResource
  return onMatch(call, async (match) => {
    const fault = conditionalIdFault(body.id, match?.id)
    if (fault !== undefined) throw badRequestError(fault)
    if (!match) return [created, asResource(await store.resources.create(body))]
    const resource = { ...body, ...(match.id === undefined ? {} : { id: match.id }) }
    const { stored } = await store.resources.update(resource, writeCondition(request.headers))
    return ok(stored)
  })
}

/** PATCH Type?criteria */
async function conditionalPatch(call: RouteCall): Promise<RestResponse> {
  const { store, type, request } = call
  const patch = patchBody(request.body)
  return onMatch(call, async (match) => {
    if (match?.id === undefined) throw new OperationOutcomeError(notFound)
    return ok(await store.resources.patch(type, match.id, patch, writeCondition(request.headers)))
  })
}

/** DELETE Type?criteria: at most one match; all of them with the header `x-conditional-delete: remove-all`, as Aidbox has it. Nothing to
 *  delete is as good as deleted. */
async function conditionalDelete(call: RouteCall): Promise<RestResponse> {
  const { store, type, request } = call
  if (request.headers['x-conditional-delete'] === 'remove-all') return deleteAll(call)
  return onMatch(call, async (match) => {
    if (match?.id !== undefined)
      await store.resources.delete(type, match.id, writeCondition(request.headers))
    return [allOk]
  })
}

/** All or nothing. */
async function deleteAll({ store, type, request }: RouteCall): Promise<RestResponse> {
  const criteria = criteriaOf(type, request)
  const resources: DeletableResources = {
    search: (search) => store.searchResources(search),
    delete: (resourceType, id) => store.resources.delete(resourceType, id),
  }
  await store.withTransaction(() => deleteMatches(resources, criteria), { serializable: true })
  return [allOk]
}

/** DELETE Type/id: a missing resource is as good as deleted, because existing clients replace resources by DELETE and POST, the first
 *  time too; only a transaction fails, as they expect of it. */
async function remove({
  store,
  type,
  id = '',
  request,
  isOfTransaction,
}: RouteCall): Promise<RestResponse> {
  const deleteIt = () => store.resources.delete(type, id, writeCondition(request.headers))
  await (isOfTransaction ? deleteIt() : deleteIfPresent(deleteIt))
  return [allOk]
}

/** Searches and writes in one transaction, which no other writer comes between. */
async function onMatch(
  { store, type, request }: RouteCall,
  write: (match: FhirResource | undefined) => Promise<RestResponse>,
): Promise<RestResponse> {
  const search = criteriaOf(type, request)
  return store.withTransaction(async () => write(await findOne(store, search)), {
    serializable: true,
  })
}

function criteriaOf(type: string, request: RestRequest): SearchRequest {
  const search = parseSearch(type, request.query)
  if (!hasCriteria(search)) {
    throw badRequestError('A write without an id needs search parameters.')
  }
  return search
}

/** @throws OperationOutcomeError `multiple-matches` (412) */
async function findOne(
  store: OwnTypesStore,
  search: SearchRequest,
): Promise<FhirResource | undefined> {
  const [match, another] = await store.searchResources({ ...search, count: 2 })
  if (another) throw new OperationOutcomeError(multipleMatches)
  return match
}

function ok(resource: FhirResource): RestResponse {
  return [allOk, asResource(resource)]
}
