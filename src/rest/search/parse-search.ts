import { getSearchParameter, type Operator, type SearchRequest, type SortRule } from '@medplum/core'
import type { ResourceType } from '@medplum/fhirtypes'
import { isJsonObject } from '../../resources/json-shapes.ts'
import { badRequestError } from '../outcomes.ts'
import type { QueryParameters } from '../routing.ts'

/** One `name:modifier=value` of a search. */
export interface Criterion {
  readonly name: string
  readonly modifier: string
  /** With its prefix and its escapes, as the client wrote it. */
  readonly value: string
}

/** They choose how the answer looks, or belong to client libraries; this server answers whole resources and an exact total anyway. */
const withoutEffect = new Set([
  '_',
  '_format',
  '_pretty',
  '_total',
  '_totalMethod',
  '_summary',
  '_elements',
  '_fields',
  // Of a write, which it leaves without a condition.
  '_preflight',
  'mode',
])

const notSupported: Readonly<Record<string, string>> = {
  _include: 'Including other resources (_include) is not supported.',
  _revinclude: 'Including other resources (_revinclude) is not supported.',
  _has: 'Reverse chaining (_has) is not supported.',
}

/** Reads a query. Unlike core's parseSearchRequest it keeps every modifier and the prefix of every value, and refuses what it
 *  cannot read; each filter has the name with its modifier as `code`, `eq` as operator and the value as written.
 *  @throws OperationOutcomeError `bad-request` */
export function parseSearch(resourceType: string, query: QueryParameters): SearchRequest {
  const request: SearchRequest = { resourceType: resourceType as ResourceType, filters: [] }
  for (const [key, given] of Object.entries(query)) {
    for (const value of [given ?? []].flat()) addParameter(request, key, value)
  }
  return request
}

/** Reads a search by POST: the query, and the fields of the form over it. The HTTP layer has parsed the form; the body of a bundle's
 *  entry may be anything. */
export function parsePostedSearch(
  resourceType: string,
  { query, body }: { readonly query: QueryParameters; readonly body?: unknown },
): SearchRequest {
  const form = isJsonObject(body) ? body : {}
  const fields = Object.entries({ ...query, ...form }).filter(isFormField)
  return parseSearch(resourceType, Object.fromEntries(fields))
}

function isFormField(field: [string, unknown]): field is [string, string | string[]] {
  const [, value] = field
  const isText = (one: unknown) => typeof one === 'string'
  return isText(value) || (Array.isArray(value) && value.every(isText))
}

/** Reads `a=1&b=2`, with or without something before a question mark. */
export function parseSearchText(resourceType: string, text: string): SearchRequest {
  const request: SearchRequest = { resourceType: resourceType as ResourceType, filters: [] }
  const query = /^[A-Za-z/:.0-9\-_]*\?(.*)$/s.exec(text)?.[1] ?? text
  for (const [key, value] of new URLSearchParams(query)) addParameter(request, key, value)
  return request
}

/** Whether a search is about some resources only. What chooses the page or the order is no criterion. */
export function hasCriteria({ filters }: SearchRequest): boolean {
  return filters !== undefined && filters.length > 0
}

// More would be a denial of service, not a question.
const maxCriteria = 100
const maxSortKeys = 20

function addParameter(request: SearchRequest, key: string, value: string): void {
  switch (key) {
    case '_count':
      request.count = toInteger(key, value)
      return
    case '_offset':
      request.offset = toInteger(key, value)
      return
    case '_sort':
      request.sortRules = [...(request.sortRules ?? []), ...parseSort(value)]
      if (request.sortRules.length > maxSortKeys) {
        throw badRequestError(`_sort has more than ${maxSortKeys} names.`, 'too-costly')
      }
      return
    case '_summary':
      if (value === 'count') request.count = 0
      return
    default:
      if (isWithoutEffect(request.resourceType, key)) return
      request.filters = [...(request.filters ?? []), { code: key, operator: 'eq', value }]
      if (request.filters.length > maxCriteria) {
        throw badRequestError(`A search has at most ${maxCriteria} parameters.`, 'too-costly')
      }
  }
}

/** `mode` is a search parameter of a few types, and noise of a client elsewhere. */
function isWithoutEffect(resourceType: string, name: string): boolean {
  return withoutEffect.has(name) && !getSearchParameter(resourceType, name)
}

function toInteger(name: string, value: string): number {
  if (!/^\d{1,9}$/.test(value)) {
    throw badRequestError(`${name} must be a whole number that is not negative.`, 'value')
  }
  return Number(value)
}

function parseSort(value: string): SortRule[] {
  return value
    .split(',')
    .map((code) =>
      code.startsWith('-')
        ? { code: code.slice(1), descending: true }
        : { code, descending: false },
    )
}

const prefixes: readonly Operator[] = ['ne', 'gt', 'lt', 'ge', 'le', 'sa', 'eb', 'ap', 'sw']

/** The criteria of a request, whether this module or core has parsed it.
 *  @throws OperationOutcomeError `bad-request` for what is no parameter of a search on one type */
export function criteriaOf(request: SearchRequest): Criterion[] {
  if (request.include || request.revInclude) throw unsupported('_include')
  return (request.filters ?? []).flatMap(({ code, operator, value }) => {
    if (isWithoutEffect(request.resourceType, code)) return []
    const colon = code.indexOf(':')
    const name = colon < 0 ? code : code.slice(0, colon)
    if (Object.hasOwn(notSupported, name)) throw unsupported(name)
    if (code.includes('.')) {
      throw badRequestError(
        `${shown(code)}: chained parameters are not supported.`,
        'not-supported',
      )
    }
    const modifier = colon < 0 ? '' : code.slice(colon + 1)
    if (operator === 'eq') return [{ name, modifier, value }]
    return prefixes.includes(operator)
      ? [{ name, modifier, value: operator + value }]
      : [{ name, modifier: operator, value }]
  })
}

function unsupported(name: string): Error {
  return badRequestError(notSupported[name] ?? `${name} is not supported.`, 'not-supported')
}

/** A name from a query, as an error may quote it. */
export function shown(name: string): string {
  return name.length > 64 ? `${name.slice(0, 64)}…` : name
}

/** Splits at commas or bars that no backslash precedes; the parts keep their escapes. */
export function splitUnescaped(text: string, separator: ',' | '|'): string[] {
  const parts = ['']
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i)
    if (char === separator) {
      parts.push('')
      continue
    }
    parts.push(`${parts.pop() ?? ''}${char}${char === '\\' ? text.charAt(++i) : ''}`)
  }
  return parts
}

/** https://hl7.org/fhir/R4/search.html#escaping */
export function unescape(text: string): string {
  return text.replace(/\\([\\,|$])/g, '$1')
}
