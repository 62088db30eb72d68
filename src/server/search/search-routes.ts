import { allOk } from '@medplum/core'
import type { FhirRouteHandler } from '@medplum/fhir-router'
import { parsePostedSearch, parseSearch } from '../../rest/search/parse-search.ts'

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
