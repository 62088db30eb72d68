import type { IncomingHttpHeaders } from 'node:http'
import { normalizeIfMatch, normalizeIfNoneExist } from './preconditions.ts'
import { assertStorableJson, parseFormBody, parseJsonBody } from './request-body.ts'
import type { RequestTarget } from './request-url.ts'
import type { Caller, QueryParameters, RestMethod, RestRequest } from './routing.ts'
import { hasCriteria, parseSearchText } from './search/parse-search.ts'

/** A body as it came, or as a parser before us has left it. */
export type RequestBody = { readonly bytes: Buffer } | { readonly parsed: unknown }

interface RequestHead {
  readonly method?: string | undefined
  readonly headers: IncomingHttpHeaders
}

/** The request as routes read it: decoded path, parsed body, conditions in their headers.
 *  @throws OperationOutcomeError `unsupported-media-type` or `bad-request` */
export function toRestRequest(
  { method = 'GET', headers }: RequestHead,
  target: RequestTarget,
  body: RequestBody | undefined,
): RestRequest {
  const isSearch = method === 'POST' && target.segments.at(-1) === '_search'
  const hasBody = ['POST', 'PUT', 'PATCH'].includes(method)
  const ifMatch = normalizeIfMatch(headers['if-match'])
  const ifNoneExist = conditionalCreateQuery(method, headers, target)
  const { 'if-match': _ifMatch, 'if-none-exist': _ifNoneExist, ...others } = headers
  return {
    ...target,
    // Routes answer for methods that they do not have, whatever they are called.
    method: method as RestMethod,
    body: isSearch
      ? { ...target.query, ...formOf(body, headers['content-type']) }
      : hasBody
        ? jsonOf(body, headers['content-type'])
        : undefined,
    headers: {
      ...others,
      ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
      ...(ifNoneExist === undefined ? {} : { 'if-none-exist': ifNoneExist }),
    },
  }
}

function jsonOf(body: RequestBody | undefined, contentType: string | undefined): unknown {
  if (!body) return undefined
  return 'bytes' in body ? parseJsonBody(body.bytes, contentType) : assertStorableJson(body.parsed)
}

function formOf(body: RequestBody | undefined, contentType: string | undefined): QueryParameters {
  if (!body) return {}
  if ('bytes' in body) return parseFormBody(body.bytes, contentType)
  // Fields that are no text are no search parameters; the route leaves them out.
  return typeof body.parsed === 'object' ? { ...(body.parsed as QueryParameters) } : {}
}

/** The condition of a create: header If-None-Exist, or the query of `POST /Patient?identifier=…`. */
function conditionalCreateQuery(
  method: string,
  headers: IncomingHttpHeaders,
  { segments, search }: RequestTarget,
): string | undefined {
  const [type = ''] = segments
  if (method !== 'POST' || segments.length !== 1 || type.startsWith('$')) return undefined
  const [header] = [headers['if-none-exist']].flat()
  if (header !== undefined) return normalizeIfNoneExist(header, type)
  return hasCriteria(parseSearchText(type, search)) ? search : undefined
}

/** What a request says for the events it causes.
 *  @param correlationHeader name of the header in lower case */
export function tracesOf(
  headers: IncomingHttpHeaders,
  correlationHeader: string,
): Pick<Caller, 'correlationId' | 'traceparent'> {
  const [correlationId] = [headers[correlationHeader.toLowerCase()]].flat()
  const [traceparent] = [headers['traceparent']].flat()
  return {
    ...(correlationId === undefined || correlationId === '' ? {} : { correlationId }),
    ...(traceparent === undefined ? {} : { traceparent }),
  }
}

/** Where a request arrived, as far as that is known. */
export interface UsedAddress {
  readonly protocol: string | undefined
  /** With the port, when it is not the protocol's own. */
  readonly host: string | undefined
  /** Of the base: `/fhir`. */
  readonly path: string
}

/** The base URL on the host that the client used. Behind a proxy that speaks TLS the scheme is known from the configured base URL
 *  alone, and a Host header could inject anything. */
export function clientBaseUrl(baseUrl: string, { protocol, host, path }: UsedAddress): string {
  if (
    protocol === undefined ||
    host === undefined ||
    !/^https?$/.test(protocol) ||
    !/^[A-Za-z0-9.\-_]+(?::\d+)?$|^\[[0-9a-f:]+\](?::\d+)?$/i.test(host) ||
    host === new URL(baseUrl).host
  )
    return baseUrl
  return `${protocol}://${host}${path}`
}
