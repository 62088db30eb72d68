import {
  allOk,
  created,
  multipleMatches,
  notFound,
  OperationOutcomeError,
  type SearchRequest,
} from '@medplum/core'
import type { OperationOutcome, Resource } from '@medplum/fhirtypes'
import type { FhirResource } from '../host/types.ts'
import { badRequestError } from './outcomes.ts'
import type { Patch } from './patch/patch.ts'
import { assertCondition, conditionalIdFault, type WriteCondition } from './preconditions.ts'
import { asResource } from './resource-shapes.ts'
import { hasCriteria } from './search/parse-search.ts'
import type { ResourceStore } from './storage/resource-store.ts'

/** Outcome and resource, as routes answer. */
type WriteAnswer = [OperationOutcome] | [OperationOutcome, Resource]

/** POST Type under If-None-Exist: 200 with what is there already.
 *  @throws OperationOutcomeError `bad-request` without criteria, `multiple-matches` (412) */
export async function conditionalCreate(
  store: ResourceStore,
  search: SearchRequest,
  resource: FhirResource,
): Promise<WriteAnswer> {
  // A condition that every resource fulfils would never create anything.
  if (!hasCriteria(search)) throw badRequestError('If-None-Exist needs search parameters.')
  return onMatch(store, search, async (match) => {
    if (match?.id === undefined) {
      return [created, asResource(await store.resources.create(resource))]
    }
    await store.resources.confirm(resource.resourceType, match.id)
    return [allOk, asResource(match)]
  })
}

/** PUT Type?criteria
 *  @throws OperationOutcomeError 400 for an id that is not the match's, 412 for several matches or by the condition */
export async function conditionalUpdate(
  store: ResourceStore,
  search: SearchRequest,
  resource: FhirResource,
  condition: WriteCondition,
): Promise<WriteAnswer> {
  return onMatch(store, search, async (match) => {
    const fault = conditionalIdFault(resource.id, match?.id)
    if (fault !== undefined) throw badRequestError(fault)
    if (match?.id === undefined) {
      assertCondition(undefined, condition)
      return [created, asResource(await store.resources.create(resource))]
    }
    const { stored } = await store.resources.update({ ...resource, id: match.id }, condition)
    return [allOk, asResource(stored)]
  })
}

/** PATCH Type?criteria
 *  @throws OperationOutcomeError 404 without a match, 412 for several or by the condition */
export async function conditionalPatch(
  store: ResourceStore,
  search: SearchRequest,
  patch: Patch,
  condition: WriteCondition,
): Promise<WriteAnswer> {
  return onMatch(store, search, async (match) => {
    if (match?.id === undefined) throw new OperationOutcomeError(notFound)
    const { resourceType, id } = match
    return [allOk, asResource(await store.resources.patch(resourceType, id, patch, condition))]
  })
}

/** DELETE Type?criteria of at most one match. Nothing to delete is as good as deleted.
 *  @throws OperationOutcomeError 412 for several matches or by the condition */
export async function conditionalDelete(
  store: ResourceStore,
  search: SearchRequest,
  condition: WriteCondition,
): Promise<WriteAnswer> {
  return onMatch(store, search, async (match) => {
    if (match?.id === undefined) assertCondition(undefined, condition)
    else await store.resources.delete(match.resourceType, match.id, condition)
    return [allOk]
  })
}

/** Searches and writes in one transaction, which no other writer comes between. */
async function onMatch(
  store: ResourceStore,
  { resourceType, filters = [] }: SearchRequest,
  write: (match: FhirResource | undefined) => Promise<WriteAnswer>,
): Promise<WriteAnswer> {
  const work = async (): Promise<WriteAnswer> => {
    const [match, another] = await store.searchResources({ resourceType, filters, count: 2 })
    if (another) throw new OperationOutcomeError(multipleMatches)
    return write(match)
  }
  return store.withTransaction(work, { serializable: true })
}
