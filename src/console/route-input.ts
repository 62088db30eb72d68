import { isId } from '../rest/resource-id.ts'
import { isJsonObject, type JsonObject } from '../resources/json-shapes.ts'
import type { Page } from './api-views.ts'
import { ConsoleError } from './console-error.ts'
import type { RouteRequest } from './routes.ts'

const maxPageSize = 200

/** What every paged route takes. */
export const pageQuery: Readonly<Record<'page' | 'size' | 'search', string>> = {
  page: 'Number of the page, from 1.',
  size: `Rows of a page, up to ${maxPageSize}; 25 when absent.`,
  search: 'Part of the name, in letters of any case.',
}

/** What every list that goes on takes. */
export const listQuery: Readonly<Record<'after' | 'size', string>> = {
  after: '`next` of the answer before; absent: the first rows.',
  size: `Rows, up to ${maxPageSize}; 25 when absent.`,
}

/** @throws ConsoleError 400 */
function numberIn(query: URLSearchParams, name: string, fallback: number, most: number): number {
  const text = query.get(name)
  if (text === null || text === '') return fallback
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1 && value <= most) return value
  throw new ConsoleError(400, `${name} must be a whole number from 1 to ${most}.`)
}

export function sizeOf({ query }: Pick<RouteRequest, 'query'>): number {
  return numberIn(query, 'size', 25, maxPageSize)
}

/** What the request searches for, in lower case; '' for everything. */
export function searchOf({ query }: Pick<RouteRequest, 'query'>): string {
  return (query.get('search') ?? '').toLowerCase()
}

/** Whether a search finds something by one of its names. */
export function isFound(search: string, ...names: readonly string[]): boolean {
  return names.some((name) => name.toLowerCase().includes(search))
}

/** The rows of the page that the request names; the last page where there are fewer.
 *  @throws ConsoleError 400 */
export function pageOf<Row>(rows: readonly Row[], request: Pick<RouteRequest, 'query'>): Page<Row> {
  const size = sizeOf(request)
  const pages = Math.max(1, Math.ceil(rows.length / size))
  const page = Math.min(pages, numberIn(request.query, 'page', 1, 1_000_000))
  return { rows: rows.slice((page - 1) * size, page * size), total: rows.length, page, pages }
}

/** `after` of a list whose rows have numbers.
 *  @throws ConsoleError 400 */
export function afterOf({ query }: Pick<RouteRequest, 'query'>): string | undefined {
  const after = query.get('after')
  if (after === null || after === '') return undefined
  if (/^\d{1,18}$/.test(after)) return after
  throw new ConsoleError(400, 'after must be what the answer before named as next.')
}

/** @throws ConsoleError 404 for what can be no id */
export function idOf({ params }: Pick<RouteRequest, 'params'>): string {
  const { id = '' } = params
  if (isId(id)) return id
  throw new ConsoleError(404, 'There is no such resource.')
}

/** @throws ConsoleError 400 when the body is no JSON object */
export function objectBody({ body }: Pick<RouteRequest, 'body'>): JsonObject {
  if (isJsonObject(body)) return body
  throw new ConsoleError(400, 'The body must be a JSON object.')
}

/** A FHIR Parameters, as an operation takes it.
 *  @throws ConsoleError 400 */
export function parametersBody(request: Pick<RouteRequest, 'body'>): JsonObject {
  const body = objectBody(request)
  if (body['resourceType'] === 'Parameters') return body
  throw new ConsoleError(400, 'The body must be a FHIR Parameters.')
}
