import { randomUUID } from 'node:crypto'
import type { CapabilityStatement } from '@medplum/fhirtypes'
import express, { type Express, type Request, type Response } from 'express'
import type { Logger } from '../../observability/logger.ts'
import { answerOf, answerOfOutcome, type Answer } from '../../rest/answer.ts'
import type { ExpressHandler } from '../../http/express.ts'
import { consolePath } from './console.ts'
import { answerMetrics, type MetricsRouteParts } from './metrics-route.ts'
import { clientBaseUrl, toRestRequest, tracesOf } from '../../rest/rest-request.ts'
import type { Caller, RestRequest, RoutedResponse } from '../../rest/routing.ts'
import { readBody } from '../../http/read-body.ts'
import { sendAnswer } from '../../http/send-answer.ts'
import { unavailable } from '../../rest/outcomes.ts'
import type { RequestTarget } from '../../rest/request-url.ts'
import { toldOutcome } from '../../rest/told-outcome.ts'
import type { ServerProbes } from '../probes/server-probes.ts'
import { answerProbe, probeOf } from './probe-route.ts'
import { basePath, parseTargetBelowBase } from './base-path.ts'

export interface AppParts extends MetricsRouteParts {
  readonly bodyLimitBytes: number
  readonly correlationHeader: string
  readonly trustedProxies: string
  readonly probes: ServerProbes
  readonly logger: Logger
  /** Base URL for Location and fullUrl; links use it too when the client named the same host. */
  readonly baseUrl: () => string
  /** False until the server listens and once it closes: requests answer 503 then. */
  readonly isOpen: () => boolean
  readonly capabilityStatement: () => CapabilityStatement
  /** Undefined while there is none. */
  readonly console: () => ExpressHandler | undefined
  readonly route: (request: RestRequest, caller: Caller) => Promise<RoutedResponse>
}

/** The HTTP side of the server: reads a request, has it routed, writes the answer. Every answer is JSON, every error an OperationOutcome. */
export function createApp(parts: AppParts): Express {
  const app = express()
  app.disable('x-powered-by')
  app.set('etag', false)
  app.set('query parser', false)
  app.set('trust proxy', parts.trustedProxies)
  app.use(consolePath, async (request, response, next) => {
    const console = parts.isOpen() ? parts.console() : undefined
    if (console) await console(request, response, next)
    else next()
  })
  app.use(async (request: Request, response: Response) => {
    const probe = probeOf(request)
    if (probe) {
      await answerProbe(probe, request, response, parts)
      return
    }
    const requestId = randomUUID()
    response.set('x-request-id', requestId)
    const startedMs = performance.now()
    const answer = await answerRequest(parts, request, response).catch((error: unknown) =>
      answerOfFailure(parts, error, requestId),
    )
    if (answer !== 'sent') sendAnswer(response, answer)
    // Paths and queries name patients; they are not logged.
    const durationMs = Math.round(performance.now() - startedMs)
    const { method } = request
    parts.logger.debug(
      { requestId, method, status: response.statusCode, durationMs },
      'answered a request',
    )
  })
  return app
}

async function answerRequest(
  parts: AppParts,
  request: Request,
  response: Response,
): Promise<Answer | 'sent'> {
  const metrics = await answerMetrics(parts, request, response)
  if (metrics) return metrics
  if (!parts.isOpen()) return answerOfOutcome(unavailable('The server is starting or stopping.'))
  const target = parseTargetBelowBase(request.url)
  if (isMetadata(request, target))
    return { status: 200, headers: {}, body: parts.capabilityStatement() }
  const principal = parts.authenticator.authenticate(request.headers.authorization)
  const restRequest = toRestRequest(request, target, await readBody(request, parts.bodyLimitBytes))
  const {
    response: fhirResponse,
    interaction,
    allow,
  } = await parts.route(restRequest, {
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

function callerOf(parts: AppParts, request: Request): Caller {
  const { protocol, host } = request
  return {
    ...tracesOf(request.headers, parts.correlationHeader),
    clientBaseUrl: clientBaseUrl(parts.baseUrl(), { protocol, host, path: `/${basePath}` }),
  }
}

function answerOfFailure(parts: AppParts, error: unknown, requestId: string): Answer {
  const answer = answerOfOutcome(toldOutcome(error, parts.logger, { requestId }))
  if (answer.status !== 401) return answer
  return {
    ...answer,
    headers: { ...answer.headers, 'www-authenticate': parts.authenticator.challenges },
  }
}
