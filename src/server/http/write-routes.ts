import { allOk, created } from '@medplum/core'
import type { FhirRepository, FhirRouteHandler } from '@medplum/fhir-router'
import type { Resource, ResourceType } from '@medplum/fhirtypes'
import type { KnexRepository } from '../storage/knex-repository.ts'
import { deleteIfPresent } from '../../rest/deletes.ts'
import { writeCondition } from '../../rest/preconditions.ts'
import { patchBody } from '../../rest/resource-body.ts'
import { parseSearch } from '../../rest/search/parse-search.ts'
import type { ServedResourceTypes } from './served-types.ts'

/** PUT Type/id: 201 when it creates. */
export const update: FhirRouteHandler = async (request, repository) => {
  const { id = '' } = request.params
  // guarded() has made the body a resource with the type and the id of the URL.
  const resource = request.body as Resource & { id: string }
  const stored = await ours(repository).updateResource(
    { ...resource, id },
    writeCondition(request.headers),
  )
  return [ours(repository).wasCreated(stored) ? created : allOk, stored]
}

/** PATCH Type/id, in any form that the repository takes. */
export const patch: FhirRouteHandler = async (request, repository) => {
  const { resourceType = '', id = '' } = request.params
  const body = patchBody(request.body)
  return [
    allOk,
    await ours(repository).patchResource(
      resourceType as ResourceType,
      id,
      body,
      writeCondition(request.headers),
    ),
  ]
}

/** PATCH Type?criteria. */
export const conditionalPatch: FhirRouteHandler = async (request, repository) => {
  const { resourceType = '' } = request.params
  const search = parseSearch(resourceType, request.query)
  return [allOk, await ours(repository).conditionalPatch(search, patchBody(request.body))]
}

/** DELETE Type/id: 404 for what never was. A missing resource of a module's own type is as good as deleted, because existing clients
 *  replace those by DELETE and POST, the first time too; only a transaction fails, as they expect of it. */
export function remove(types: ServedResourceTypes): FhirRouteHandler {
  return async (request, repository, _router, options) => {
    const { resourceType = '', id = '' } = request.params
    const deleteIt = () =>
      ours(repository).deleteResource(resourceType, id, writeCondition(request.headers))
    const mayBeMissing = options?.batch !== false && types.registered.has(resourceType)
    await (mayBeMissing ? deleteIfPresent(deleteIt) : deleteIt())
    return [allOk]
  }
}

/** The one repository that this server's routes are ever called with. */
function ours(repository: FhirRepository): KnexRepository {
  return repository as KnexRepository
}
