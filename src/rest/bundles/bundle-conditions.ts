import {
  allOk,
  multipleMatches,
  notFound,
  OperationOutcomeError,
  preconditionFailed,
} from '@medplum/core'
import type { FhirResource, ResourceInteraction } from '../../host/types.ts'
import type { BundleContext } from './bundle-context.ts'
import type { ParsedEntry } from './bundle-entry.ts'
import { entryError, locateOutcome } from './bundle-outcomes.ts'
import { formatPath, type ConditionalReference } from './bundle-references.ts'
import { badRequestError } from '../outcomes.ts'
import { conditionalIdFault, writeCondition } from '../preconditions.ts'
import { asResource } from '../resource-shapes.ts'
import type { RestMethod, RoutedResponse } from '../routing.ts'
import { hasCriteria, parseSearchText } from '../search/parse-search.ts'
import type { ResourceStore } from '../storage/resource-store.ts'

/** An entry that knows which resource it is about. */
export interface ResolvedEntry extends ParsedEntry {
  /** Nothing is left to do: a conditional create that found its resource, a conditional delete that found none. */
  readonly answer?: RoutedResponse
  /** The condition matched nothing, and the entry creates what it names. */
  readonly isUnmatched?: boolean
}

type WithId = FhirResource & { readonly id: string }

const interactionOf: Partial<Record<RestMethod, ResourceInteraction>> = {
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
}

/** Searches for the resource of a conditional entry (https://hl7.org/fhir/R4/http.html#ccreate and the following sections).
 *  @throws OperationOutcomeError `multiple-matches`, or `not-found` for a patch, naming the element with the condition */
export async function resolveCondition(
  entry: ParsedEntry,
  { store, types, authorize }: Pick<BundleContext, 'store' | 'types' | 'authorize'>,
): Promise<ResolvedEntry> {
  const { index, method, condition, segments } = entry
  const [type = ''] = segments
  const interaction = interactionOf[method]
  // What is not offered is not searched: the route of the entry refuses it.
  if (!condition || !interaction || !types.isServed(type)) return entry
  if (!types.interactionsOf(type).includes(interaction)) return entry
  const { criteria, element } = condition
  await authorize?.(interaction, type)
  const match = await findOne(store, type, criteria, index, element)
  if (interaction === 'update') return resolveUpdate(entry, type, match)
  if (interaction === 'create') {
    if (!match) return { ...entry, isUnmatched: true }
    await store.resources.confirm(type, match.id)
    const identity = `${type}/${match.id}`
    return { ...entry, identity, answer: { response: [allOk, asResource(match)], interaction } }
  }
  if (match) return withIdentity(entry, type, match.id)
  if (interaction === 'delete') {
    const { ifMatch } = writeCondition(entry.headers)
    if (ifMatch !== undefined) {
      throw new OperationOutcomeError(locateOutcome(preconditionFailed, index, 'request.ifMatch'))
    }
    return { ...entry, answer: { response: [allOk], interaction } }
  }
  throw new OperationOutcomeError(locateOutcome(notFound, index, element))
}

function resolveUpdate(entry: ParsedEntry, type: string, match: WithId | undefined): ResolvedEntry {
  const { index, body = {}, assignedId = '' } = entry
  const fault = conditionalIdFault('id' in body ? assignedId : undefined, match?.id)
  if (fault !== undefined) throw entryError(index, 'resource.id', fault)
  const id = match?.id ?? assignedId
  return {
    ...withIdentity(entry, type, id),
    body: { ...body, id },
    ...(match ? {} : { isUnmatched: true }),
  }
}

function withIdentity(entry: ParsedEntry, type: string, id: string): ResolvedEntry {
  return { ...entry, segments: [type, id], search: '', identity: `${type}/${id}` }
}

/** A conditional reference and the entry that holds it. */
export interface HeldReference extends ConditionalReference {
  readonly index: number
}

/** `Type/id` for each conditional reference; each is searched once, however often it occurs.
 *  @throws OperationOutcomeError naming the element unless exactly one resource matches */
export async function resolveConditionalReferences(
  references: readonly HeldReference[],
  { store, types, authorize }: Pick<BundleContext, 'store' | 'types' | 'authorize'>,
): Promise<ReadonlyMap<string, string>> {
  const resolved = new Map<string, string>()
  for (const { reference, index, path } of references) {
    if (resolved.has(reference)) continue
    const element = `resource${formatPath(path)}`
    const queryStart = reference.indexOf('?')
    const type = reference.slice(0, queryStart)
    const criteria = reference.slice(queryStart + 1)
    if (!types.isServed(type)) {
      throw entryError(index, element, 'This server has no resources of that type.')
    }
    await authorize?.('search-type', type)
    const match = await findOne(store, type, criteria, index, element)
    if (!match) throw entryError(index, element, 'No resource matches the reference.', 'not-found')
    resolved.set(reference, `${type}/${match.id}`)
  }
  return resolved
}

/** @throws OperationOutcomeError `multiple-matches`, or what the search refuses, naming the element */
async function findOne(
  store: ResourceStore,
  type: string,
  criteria: string,
  index: number,
  element: string,
): Promise<WithId | undefined> {
  try {
    const search = parseSearchText(type, criteria)
    if (!hasCriteria(search)) throw badRequestError('It must hold search parameters.')
    const { resourceType, filters = [] } = search
    const matches = await store.searchResources({ resourceType, filters, count: 2 })
    if (matches.length > 1) throw new OperationOutcomeError(multipleMatches)
    // What is stored has an id.
    return matches[0] as WithId | undefined
  } catch (error) {
    if (!(error instanceof OperationOutcomeError)) throw error
    throw new OperationOutcomeError(locateOutcome(error.outcome, index, element))
  }
}
