import { createHash, timingSafeEqual } from 'node:crypto'
import type { Request, Response } from 'express'
import { methodNotAllowed, outcomeOfError } from '../../rest/outcomes.ts'
import { answerOfOutcome, type Answer } from '../../rest/answer.ts'
import type { Authenticator } from './auth.ts'

/** Path of the metrics, beside /fhir. */
export const metricsPath = '/metrics'

/** What serves a scrape: prom-client's `Registry` has this shape. */
export interface MetricsText {
  readonly contentType: string
  metrics(): Promise<string>
}

export interface MetricsRouteParts {
  /** Absent: there are no metrics. */
  readonly metrics: MetricsText | undefined
  /** Opens the metrics and nothing else, so that who scrapes cannot read resources. */
  readonly metricsToken: string | undefined
  readonly authenticator: Authenticator
}

/** Answers a request for the metrics. Whoever may call the FHIR service may read them as well.
 *  @returns undefined: the request is for something else */
export async function answerMetrics(
  { metrics, metricsToken, authenticator }: MetricsRouteParts,
  request: Request,
  response: Response,
): Promise<Answer | 'sent' | undefined> {
  if (!metrics || request.path !== metricsPath) return undefined
  if (!['GET', 'HEAD'].includes(request.method)) {
    const answer = answerOfOutcome(methodNotAllowed('The metrics can only be read.'))
    return { ...answer, headers: { allow: 'GET, HEAD' } }
  }
  const { authorization } = request.headers
  if (!isToken(metricsToken, authorization)) {
    try {
      authenticator.authenticate(authorization)
    } catch (error) {
      const challenges = new Set([...authenticator.challenges, 'Bearer realm="fhir"'])
      const answer = answerOfOutcome(outcomeOfError(error))
      return { ...answer, headers: { ...answer.headers, 'www-authenticate': [...challenges] } }
    }
  }
  const text = await metrics.metrics()
  response.set('content-type', metrics.contentType).set('cache-control', 'no-store').send(text)
  return 'sent'
}

function isToken(token: string | undefined, authorization: string | undefined): boolean {
  if (token === undefined) return false
  const presented = /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1] ?? ''
  return timingSafeEqual(digest(token), digest(presented))
}

/** Of one length, so that the time of a comparison says nothing. */
function digest(secret: string): Buffer {
  return createHash('sha256').update(secret, 'utf8').digest()
}
