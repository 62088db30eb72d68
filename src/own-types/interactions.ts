import { allOk, created, type SearchRequest } from '@medplum/core'
import type { FhirResource, ResourceTypeDefinition } from '../host/types.ts'
import {
  conditionalCreate,
  conditionalDelete,
  conditionalPatch,
  conditionalUpdate,
} from '../rest/conditional-writes.ts'
import { deleteIfPresent, deleteMatches, type DeletableResources } from '../rest/deletes.ts'
import { badRequestError } from '../rest/outcomes.ts'
import { writeCondition } from '../rest/preconditions.ts'
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
  PUT: { interaction: 'update', handle: updateMatch },
  PATCH: { interaction: 'patch', handle: patchMatch },
  DELETE: { interaction: 'delete', handle: deleteMatch },
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
  const [condition] = [request.headers['if-none-exist']].flat()
  return condition === undefined
    ? [created, asResource(await store.resources.create(body))]
    : conditionalCreate(store, parseSearchText(type, condition), body)
}

/** PUT Type?criteria */
async function updateMatch({ store, type, request }: RouteCall): Promise<RestResponse> {
  const body = completedBody(request.body, type, undefined) as FhirResource
  const condition = writeCondition(request.headers)
  return conditionalUpdate(store, criteriaOf(type, request), body, condition)
}

/** PATCH Type?criteria */
async function patchMatch({ store, type, request }: RouteCall): Promise<RestResponse> {
  const patch = patchBody(request.body)
  const condition = writeCondition(request.headers)
  return conditionalPatch(store, criteriaOf(type, request), patch, condition)
}

/** DELETE Type?criteria: at most one match; all of them with the header `x-conditional-delete: remove-all`, as Aidbox has it. */
async function deleteMatch(call: RouteCall): Promise<RestResponse> {
  const { store, type, request } = call
  if (request.headers['x-conditional-delete'] === 'remove-all') return deleteAll(call)
  return conditionalDelete(store, criteriaOf(type, request), writeCondition(request.headers))
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

function criteriaOf(type: string, request: RestRequest): SearchRequest {
  const search = parseSearch(type, request.query)
  if (!hasCriteria(search)) {
    throw badRequestError('A write without an id needs search parameters.')
  }
  return search
}

function ok(resource: FhirResource): RestResponse {
  return [allOk, asResource(resource)]
}
