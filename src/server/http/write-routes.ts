import { allOk, created, type SearchRequest } from '@medplum/core'
import type { FhirRepository, FhirRequest, FhirRouteHandler } from '@medplum/fhir-router'
import type { Resource, ResourceType } from '@medplum/fhirtypes'
import {
  conditionalCreate,
  conditionalDelete,
  conditionalPatch,
  conditionalUpdate,
} from '../../rest/conditional-writes.ts'
import { deleteIfPresent, deleteMatches, type DeletableResources } from '../../rest/deletes.ts'
import { writeCondition } from '../../rest/preconditions.ts'
import { patchBody } from '../../rest/resource-body.ts'
import { asJson, asResource } from '../../rest/resource-shapes.ts'
import { parseSearch, parseSearchText } from '../../rest/search/parse-search.ts'
import { inTransaction } from '../storage/in-transaction.ts'
import { knexRepository, storeOf } from '../storage/store-of.ts'
import type { ServedResourceTypes } from './served-types.ts'

/** PUT Type/id: 201 when it creates. */
export const update: FhirRouteHandler = async (request, repository) => {
  const { id = '' } = request.params
  // guarded() has made the body a resource with the type and the id of the URL.
  const resource = { ...asJson(request.body as Resource), id }
  const condition = writeCondition(request.headers)
  const { stored, isCreated } = await knexRepository(repository).resources.update(
    resource,
    condition,
  )
  return [isCreated ? created : allOk, asResource(stored)]
}

/** PATCH Type/id, in any form that the repository takes. */
export const patch: FhirRouteHandler = async (request, repository) => {
  const { resourceType = '', id = '' } = request.params
  const body = patchBody(request.body)
  return [
    allOk,
    await knexRepository(repository).patchResource(
      resourceType as ResourceType,
      id,
      body,
      writeCondition(request.headers),
    ),
  ]
}

/** DELETE Type/id: 404 for what never was. A missing resource of a module's own type is as good as deleted, because existing clients
 *  replace those by DELETE and POST, the first time too; only a transaction fails, as they expect of it. */
export function remove(types: ServedResourceTypes): FhirRouteHandler {
  return async (request, repository, _router, options) => {
    const { resourceType = '', id = '' } = request.params
    const deleteIt = () =>
      knexRepository(repository).deleteResource(resourceType, id, writeCondition(request.headers))
    const mayBeMissing = options?.batch !== false && types.registered.has(resourceType)
    await (mayBeMissing ? deleteIfPresent(deleteIt) : deleteIt())
    return [allOk]
  }
}

/** POST Type, under the condition of If-None-Exist when there is one. */
export const create: FhirRouteHandler = async (request, repository, _router, options) => {
  // guarded() has made the body a resource of the type in the URL.
  const body = request.body as Resource
  const [condition] = [request.headers?.['if-none-exist']].flat()
  if (condition === undefined) {
    const assignedId = options?.batch === true
    return [created, await repository.createResource(body, { assignedId })]
  }
  const search = parseSearchText(request.params['resourceType'] ?? '', condition)
  return conditionalCreate(storeOf(repository), search, asJson(body))
}

/** PUT Type?criteria */
export const updateMatch: FhirRouteHandler = async (request, repository) => {
  const body = asJson(request.body as Resource)
  const condition = writeCondition(request.headers)
  return conditionalUpdate(storeOf(repository), searchOf(request), body, condition)
}

/** PATCH Type?criteria, in any form that the repository takes. */
export const patchMatch: FhirRouteHandler = async (request, repository) => {
  const patchOfBody = patchBody(request.body)
  const condition = writeCondition(request.headers)
  return conditionalPatch(storeOf(repository), searchOf(request), patchOfBody, condition)
}

/** DELETE Type?criteria: at most one match; all of them with the header `x-conditional-delete: remove-all`, as Aidbox has it. */
export const deleteMatch: FhirRouteHandler = async (request, repository) => {
  const search = searchOf(request)
  if (request.headers?.['x-conditional-delete'] === 'remove-all') {
    await deleteAll(repository, search)
    return [allOk]
  }
  return conditionalDelete(storeOf(repository), search, writeCondition(request.headers))
}

/** All or nothing. */
async function deleteAll(repository: FhirRepository, criteria: SearchRequest): Promise<void> {
  const resources: DeletableResources = {
    search: (search) => repository.searchResources(search),
    delete: (resourceType, id) => repository.deleteResource(resourceType, id),
  }
  await inTransaction(repository, () => deleteMatches(resources, criteria))
}

function searchOf({ params, query }: FhirRequest): SearchRequest {
  return parseSearch(params['resourceType'] ?? '', query)
}
