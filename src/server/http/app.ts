import { randomUUID } from 'node:crypto'
import { OperationOutcomeError } from '@medplum/core'
import type { FhirRequest, HttpMethod } from '@medplum/fhir-router'
import type { CapabilityStatement } from '@medplum/fhirtypes'
import express, { type Express, type Request, type Response } from 'express'
import type { Principal } from '../../host/types.ts'
import type { Logger } from '../../observability/logger.ts'
import { answerOf, answerOfOutcome, type Answer } from './answer.ts'
import type { Authenticator } from './auth.ts'
import type { RoutedResponse } from './routes.ts'
import {
  badRequestError,
  outcomeOfError,
  payloadTooLarge,
  unavailable,
  unsupportedMediaType,
} from './outcomes.ts'
import { normalizeIfMatch, normalizeIfNoneExist } from './preconditions.ts'
import { parseFormBody, parseJsonBody } from './request-body.ts'
import { hasCriteria, parseSearchText } from '../search/parse-search.ts'
import { basePath, parseTarget, type RequestTarget } from './request-url.ts'

/** Who asks, and what their request says for the events it causes. */
export interface Caller {
  readonly principal?: Principal
  readonly correlationId?: string
  readonly traceparent?: string
  /** The base URL that the client used, for the links of a searchset. */
  readonly clientBaseUrl: string
}

export interface AppParts {
  readonly bodyLimitBytes: number
  readonly correlationHeader: string
  readonly trustedProxies: string
  readonly authenticator: Authenticator
  readonly logger: Logger
  /** Base URL for Location and fullUrl; links use it too when the client named the same host. */
  readonly baseUrl: () => string
  /** False until the server listens and once it closes: requests answer 503 then. */
  readonly isOpen: () => boolean
  readonly capabilityStatement: () => CapabilityStatement
  readonly route: (request: FhirRequest, caller: Caller) => Promise<RoutedResponse>
}

/** The HTTP side of the server: reads a request, has it routed, writes the answer. Every answer is JSON, every error an OperationOutcome. */
export function createApp(parts: AppParts): Express {
  const app = express()
  app.disable('x-powered-by')
  app.set('etag', false)
  app.set('query parser', false)
  app.set('trust proxy', parts.trustedProxies)
  const readBody = bodyReader(parts.bodyLimitBytes)
  app.use(async (request: Request, response: Response) => {
    const requestId = randomUUID()
    response.set('x-request-id', requestId)
    const startedMs = performance.now()
    const answer = await answerRequest(parts, readBody, request, response).catch((error: unknown) =>
      answerOfFailure(parts, error, requestId),
    )
    send(response, answer)
    // Paths and queries name patients; they are not logged.
    const durationMs = Math.round(performance.now() - startedMs)
    const { method } = request
    parts.logger.debug(
      { requestId, method, status: answer.status, durationMs },
      'answered a request',
    )
  })
  return app
}

type BodyReader = (request: Request, response: Response) => Promise<Buffer | undefined>

async function answerRequest(
  parts: AppParts,
  readBody: BodyReader,
  request: Request,
  response: Response,
): Promise<Answer> {
  if (!parts.isOpen()) return answerOfOutcome(unavailable('The server is starting or stopping.'))
  const target = parseTarget(request.url)
  if (isMetadata(request, target))
    return { status: 200, headers: {}, body: parts.capabilityStatement() }
  const principal = parts.authenticator.authenticate(request.headers.authorization)
  const body = await readBody(request, response)
  const fhirRequest = toFhirRequest(request, target, body)
  const {
    response: fhirResponse,
    interaction,
    allow,
  } = await parts.route(fhirRequest, {
    ...callerOf(parts, request),
    ...(principal ? { principal } : {}),
  })
  const answer = answerOf(fhirResponse, interaction, request.headers, parts.baseUrl())
  return allow ? { ...answer, headers: { ...answer.headers, allow: allow.join(', ') } } : answer
}

function isMetadata(request: Request, { segments }: RequestTarget): boolean {
  return (
    segments.length === 1 && segments[0] === 'metadata' && ['GET', 'HEAD'].includes(request.method)
  )
}

/** The request as routes read it: decoded path, parsed body, conditions in their headers. */
function toFhirRequest(
  request: Request,
  target: RequestTarget,
  body: Buffer | undefined,
): FhirRequest {
  const { segments, search } = target
  const isSearch = request.method === 'POST' && segments.at(-1) === '_search'
  const hasBody = ['POST', 'PUT', 'PATCH'].includes(request.method)
  const contentType = request.headers['content-type']
  const ifMatch = normalizeIfMatch(request.headers['if-match'])
  const ifNoneExist = conditionalCreateQuery(request, target)
  const headers = { ...request.headers }
  delete headers['if-match']
  delete headers['if-none-exist']
  return {
    // The router answers for methods that it has no route of, whatever they are called.
    method: request.method as HttpMethod,
    url: segments.join('/') + (search === '' ? '' : `?${search}`),
    pathname: '',
    params: {},
    query: target.query,
    body: isSearch
      ? { ...target.query, ...parseFormBody(body, contentType) }
      : hasBody
        ? parseJsonBody(body, contentType)
        : undefined,
    headers: {
      ...headers,
      ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
      ...(ifNoneExist === undefined ? {} : { 'if-none-exist': ifNoneExist }),
    },
    config: { transactions: true },
  }
}

/** The condition of a create: header If-None-Exist, or the query of `POST /Patient?identifier=…`. */
function conditionalCreateQuery(
  request: Request,
  { segments, search }: RequestTarget,
): string | undefined {
  const header = request.headers['if-none-exist']
  if (header !== undefined) return normalizeIfNoneExist(Array.isArray(header) ? header[0] : header)
  if (request.method !== 'POST' || segments.length !== 1 || segments[0]?.startsWith('$'))
    return undefined
  return hasCriteria(parseSearchText(segments[0] ?? '', search)) ? search : undefined
}

function callerOf(parts: AppParts, request: Request): Caller {
  const correlationId = request.get(parts.correlationHeader)
  const traceparent = request.get('traceparent')
  return {
    clientBaseUrl: clientBaseUrl(request, parts.baseUrl()),
    ...(correlationId === undefined || correlationId === '' ? {} : { correlationId }),
    ...(traceparent === undefined ? {} : { traceparent }),
  }
}

function clientBaseUrl(request: Request, baseUrl: string): string {
  // Behind a proxy that speaks TLS the scheme is known from the configured base URL alone.
  const { host, protocol } = request
  if (
    !/^https?$/.test(protocol) ||
    !/^[A-Za-z0-9.\-_]+(?::\d+)?$|^\[[0-9a-f:]+\](?::\d+)?$/i.test(host) ||
    host === new URL(baseUrl).host
  )
    return baseUrl
  return `${protocol}://${host}/${basePath}`
}

function bodyReader(limitBytes: number): BodyReader {
  const read = express.raw({ type: () => true, limit: limitBytes, inflate: true })
  return (request, response) =>
    new Promise((resolve, reject) => {
      read(request, response, (error?: unknown) => {
        if (error !== undefined && error !== null) reject(bodyError(error, limitBytes))
        else resolve(Buffer.isBuffer(request.body) ? request.body : undefined)
      })
    })
}

/** The errors of body-parser carry a `type`. */
function bodyError(error: unknown, limitBytes: number): OperationOutcomeError {
  const type =
    typeof error === 'object' && error !== null && 'type' in error ? error.type : undefined
  if (type === 'entity.too.large') return new OperationOutcomeError(payloadTooLarge(limitBytes))
  if (type === 'encoding.unsupported') {
    return new OperationOutcomeError(unsupportedMediaType('The Content-Encoding is not supported.'))
  }
  return badRequestError('The body could not be read.', 'structure')
}

function answerOfFailure(parts: AppParts, error: unknown, requestId: string): Answer {
  const answer = answerOfOutcome(outcomeOfError(error))
  const fields = { requestId, status: answer.status, err: error }
  if (answer.status === 503) parts.logger.warn(fields, 'a request was refused for now')
  else if (answer.status >= 500) parts.logger.error(fields, 'a request failed unexpectedly')
  if (answer.status !== 401) return answer
  return {
    ...answer,
    headers: { ...answer.headers, 'www-authenticate': parts.authenticator.challenges },
  }
}

function send(response: Response, { status, headers, body }: Answer): void {
  if (response.destroyed) return
  response.status(status)
  for (const [name, value] of Object.entries(headers)) {
    response.setHeader(name, typeof value === 'string' ? value : [...value])
  }
  if (body === undefined) {
    response.end()
    return
  }
  const text = JSON.stringify(body)
  response.setHeader('content-type', 'application/fhir+json; charset=utf-8')
  response.setHeader('content-length', Buffer.byteLength(text))
  response.end(text)
}
