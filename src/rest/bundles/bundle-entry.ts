import { OperationOutcomeError } from '@medplum/core'
import { isJsonObject, type JsonObject } from '../../resources/json-shapes.ts'
import { entryError, locateOutcome } from './bundle-outcomes.ts'
import { normalizeIfMatch, normalizeIfNoneExist, writeCondition } from '../preconditions.ts'
import { parseJsonBody } from '../request-body.ts'
import { parseTarget, type RequestTarget } from '../request-url.ts'
import type { RestMethod, RestRequest } from '../routing.ts'
import { hasCriteria, parseSearchText } from '../search/parse-search.ts'
import { idRule, isId } from '../resource-id.ts'

/** The search that decides which resource a conditional entry is about. */
export interface EntryCondition {
  readonly criteria: string
  /** The element that holds it, for errors. */
  readonly element: 'request.ifNoneExist' | 'request.url'
}

/** An entry that has all that its method needs. */
export interface ParsedEntry {
  readonly index: number
  readonly method: RestMethod
  readonly segments: readonly string[]
  /** Query of the url, as the client encoded it. */
  readonly search: string
  readonly headers: RestRequest['headers']
  readonly fullUrl?: string
  /** The resource, the patch, or the input of an operation. */
  readonly body?: object
  readonly condition?: EntryCondition
  /** `Type/id` of what the entry writes, as far as that is known without its condition. */
  readonly identity?: string
  /** Given to what the entry creates. Fixed before the transaction starts: a repeated attempt keeps it. */
  readonly assignedId?: string
}

export interface EntryContext {
  /** Types that keep the id of what is posted: those of modules. */
  readonly keepsId: (resourceType: string) => boolean
  readonly generateId: () => string
  /** Path of the base URL without slashes around it, which an entry's url may start with: `fhir`. */
  readonly basePath: string
}

const methods: readonly RestMethod[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

/** @throws OperationOutcomeError `bad-request` that names the element at fault */
export function parseEntry(entry: unknown, index: number, context: EntryContext): ParsedEntry {
  if (!isJsonObject(entry)) throw entryError(index, '', 'An entry must be an object.', 'structure')
  const { request, resource } = entry
  if (!isJsonObject(request)) {
    throw entryError(index, 'request', 'An entry needs a request with method and url.', 'required')
  }
  const method = methods.find((known) => known === request['method'])
  if (!method) {
    throw entryError(index, 'request.method', `The method must be one of ${methods.join(', ')}.`)
  }
  const { segments, search } = parseUrl(request['url'], index, context.basePath)
  const fullUrl = textOf(entry['fullUrl'], index, 'fullUrl')
  const condition = conditionOf(index, method, segments, search, request)
  return {
    index,
    method,
    segments,
    search,
    headers: headersOf(request, index, method),
    ...(fullUrl === undefined ? {} : { fullUrl }),
    ...(condition ? { condition } : {}),
    ...targetOf(index, method, segments, resource, context),
  }
}

/** POST Type. Anything else that is posted is an operation or a search. */
export function isCreate({ method, segments }: Pick<ParsedEntry, 'method' | 'segments'>): boolean {
  return method === 'POST' && segments.length === 1 && segments[0]?.startsWith('$') === false
}

/** What the method needs beside the url: the body, and the identity of the resource that it writes. */
function targetOf(
  index: number,
  method: RestMethod,
  segments: readonly string[],
  resource: unknown,
  { keepsId, generateId }: EntryContext,
): Pick<ParsedEntry, 'body' | 'identity' | 'assignedId'> {
  const [type = '', id] = segments
  const identity = id !== undefined && segments.length === 2 ? { identity: `${type}/${id}` } : {}
  if (isCreate({ method, segments })) {
    const given = resourceOf(resource, index, type)
    const ownId = keepsId(type) ? idOf(given, index) : undefined
    const assignedId = ownId ?? generateId()
    const body = { resourceType: type, ...given, id: assignedId }
    return { body, assignedId, identity: `${type}/${assignedId}` }
  }
  if (method === 'POST') {
    if (segments.at(-1) === '_search' && resource !== undefined) {
      throw entryError(index, 'resource', 'Put the parameters of a search into its url.')
    }
    return isJsonObject(resource) ? { body: resource } : {}
  }
  if (method === 'PUT') {
    const body = resourceOf(resource, index, type)
    if (id !== undefined && body['id'] !== undefined && body['id'] !== id) {
      throw entryError(index, 'resource.id', `The id must be the one in the url, ${id}.`)
    }
    return { body, assignedId: idOf(body, index) ?? generateId(), ...identity }
  }
  if (method === 'PATCH') return { body: patchOf(resource, index), ...identity }
  return method === 'DELETE' ? identity : {}
}

function resourceOf(resource: unknown, index: number, type: string): JsonObject {
  if (!isJsonObject(resource)) {
    throw entryError(index, 'resource', 'The entry needs a resource.', 'required')
  }
  if (resource['resourceType'] !== undefined && resource['resourceType'] !== type) {
    throw entryError(
      index,
      'resource.resourceType',
      `The type must be the one in the url, ${type}.`,
    )
  }
  return resource
}

function idOf(resource: JsonObject, index: number): string | undefined {
  const { id } = resource
  if (id === undefined) return undefined
  if (typeof id === 'string' && isId(id)) return id
  throw entryError(index, 'resource.id', idRule, 'value')
}

/** A patch that is no resource comes in the data of a Binary (https://hl7.org/fhir/R4/http.html#patch). */
function patchOf(resource: unknown, index: number): object {
  if (typeof resource !== 'object' || resource === null) {
    throw entryError(index, 'resource', 'The entry needs a patch.', 'required')
  }
  if (!isJsonObject(resource) || resource['resourceType'] !== 'Binary') return resource
  const { data, contentType } = resource
  const patch = at(index, 'resource.data', () =>
    typeof data === 'string'
      ? parseJsonBody(
          Buffer.from(data, 'base64'),
          typeof contentType === 'string' ? contentType : undefined,
        )
      : undefined,
  )
  if (typeof patch === 'object' && patch !== null) return patch
  throw entryError(index, 'resource.data', 'The data must be a patch in JSON, in base64.')
}

function parseUrl(url: unknown, index: number, basePath: string): RequestTarget {
  const element = 'request.url'
  if (typeof url !== 'string' || url.trim() === '') {
    throw entryError(index, element, 'A request needs a url.', 'required')
  }
  const path = url.trim().replace(/^\/*/, '')
  const isBelow = basePath !== '' && path.startsWith(`${basePath}/`)
  const target = at(index, element, () => parseTarget(isBelow ? path.slice(basePath.length) : path))
  if (target.segments.length > 0) return target
  throw entryError(index, element, 'An entry cannot be a bundle or about the whole server.')
}

function conditionOf(
  index: number,
  method: RestMethod,
  segments: readonly string[],
  search: string,
  request: JsonObject,
): EntryCondition | undefined {
  const [type = ''] = segments
  const isPosted = isCreate({ method, segments })
  if (isPosted) {
    const element = 'request.ifNoneExist'
    const text = textOf(request['ifNoneExist'], index, element)
    const criteria = at(index, element, () => normalizeIfNoneExist(text, type))
    if (criteria !== undefined) {
      if (selects(type, criteria, index, element)) return { criteria, element }
      throw entryError(index, element, 'It must hold search parameters.')
    }
  } else if (segments.length !== 1 || !['PUT', 'PATCH', 'DELETE'].includes(method)) {
    return undefined
  }
  const element = 'request.url'
  if (selects(type, search, index, element)) return { criteria: search, element }
  if (isPosted) return undefined
  throw entryError(index, element, `A ${method} needs an id or search parameters.`)
}

/** Whether a query is about some resources only. */
function selects(type: string, search: string, index: number, element: string): boolean {
  return search !== '' && at(index, element, () => hasCriteria(parseSearchText(type, search)))
}

function headersOf(request: JsonObject, index: number, method: RestMethod): ParsedEntry['headers'] {
  const text = (name: string) => textOf(request[name], index, `request.${name}`)
  const ifMatch = at(index, 'request.ifMatch', () => normalizeIfMatch(text('ifMatch')))
  const ifNoneMatch = text('ifNoneMatch')
  if (['PUT', 'PATCH', 'DELETE'].includes(method) && ifNoneMatch !== undefined) {
    at(index, 'request.ifNoneMatch', () => writeCondition({ 'if-none-match': ifNoneMatch }))
  }
  const ifModifiedSince = text('ifModifiedSince')
  return {
    ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
    ...(ifNoneMatch === undefined ? {} : { 'if-none-match': ifNoneMatch }),
    ...(ifModifiedSince === undefined ? {} : { 'if-modified-since': ifModifiedSince }),
  }
}

function textOf(value: unknown, index: number, element: string): string | undefined {
  if (value === undefined || typeof value === 'string') return value
  throw entryError(index, element, 'It must be a string.', 'structure')
}

/** Whatever is wrong with an element of the entry's own is a bad request: no address was looked up yet. */
function at<Result>(index: number, element: string, read: () => Result): Result {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof OperationOutcomeError)) throw error
    throw new OperationOutcomeError({
      ...locateOutcome(error.outcome, index, element),
      id: 'bad-request',
    })
  }
}
