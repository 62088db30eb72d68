import { allOk, created, type SearchRequest } from '@medplum/core'
import type { FhirRepository, FhirRouteHandler } from '@medplum/fhir-router'
import type { Resource } from '@medplum/fhirtypes'
import { deleteMatches, type DeletableResources } from '../../rest/deletes.ts'
import { badRequestError } from '../../rest/outcomes.ts'
import {
  hasCriteria,
  parsePostedSearch,
  parseSearch,
  parseSearchText,
} from '../../rest/search/parse-search.ts'
import { inTransaction } from '../storage/in-transaction.ts'

/* fhir-router's own handlers parse queries with core, which drops modifiers that it does not know, cuts a query at a second
 * question mark and fails on composite parameters. */

/** GET Type?criteria */
export const searchByGet: FhirRouteHandler = async (request, repository) => {
  const { resourceType = '' } = request.params
  return [allOk, await repository.search(parseSearch(resourceType, request.query))]
}

/** POST Type/_search with the criteria as a form. */
export const searchByPost: FhirRouteHandler = async (request, repository) => {
  const { resourceType = '' } = request.params
  return [allOk, await repository.search(parsePostedSearch(resourceType, request))]
}

/** POST Type, under the condition of If-None-Exist when there is one. */
export const create: FhirRouteHandler = async (request, repository, _router, options) => {
  const assignedId = options?.batch === true
  // guarded() has made the body a resource of the type in the URL.
  const body = request.body as Resource
  const condition = [request.headers?.['if-none-exist'] ?? []].flat()[0]
  if (condition === undefined) {
    return [created, await repository.createResource(body, { assignedId })]
  }
  const search = parseSearchText(request.params['resourceType'] ?? '', condition)
  // A condition that every resource fulfils would never create anything.
  if (!hasCriteria(search)) throw badRequestError('If-None-Exist needs search parameters.')
  const { outcome, resource } = await repository.conditionalCreate(body, search, { assignedId })
  return [outcome, resource]
}

/** PUT Type?criteria */
export const conditionalUpdate: FhirRouteHandler = async (
  request,
  repository,
  _router,
  options,
) => {
  const { resourceType = '' } = request.params
  const search = parseSearch(resourceType, request.query)
  const assignedId = options?.batch === true
  const body = request.body as Resource
  const { outcome, resource } = await repository.conditionalUpdate(body, search, { assignedId })
  return [outcome, resource]
}

/** DELETE Type?criteria: at most one match; all of them with the header `x-conditional-delete: remove-all`, as Aidbox has it. */
export const conditionalDelete: FhirRouteHandler = async (request, repository) => {
  const { resourceType = '' } = request.params
  const search = parseSearch(resourceType, request.query)
  if (request.headers?.['x-conditional-delete'] === 'remove-all')
    await deleteAll(repository, search)
  else await repository.conditionalDelete(search)
  return [allOk]
}

/** All or nothing. */
async function deleteAll(repository: FhirRepository, criteria: SearchRequest): Promise<void> {
  const resources: DeletableResources = {
    search: (search) => repository.searchResources(search),
    delete: (resourceType, id) => repository.deleteResource(resourceType, id),
  }
  await inTransaction(repository, () => deleteMatches(resources, criteria))
}
