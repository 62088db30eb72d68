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
  /** Knows who may read the metrics and nothing else, so that who scrapes cannot read resources. */
  readonly scrapers: Authenticator
  readonly authenticator: Authenticator
}

/** Answers a request for the metrics. Whoever may call the FHIR service may read them as well.
 *  @returns undefined: the request is for something else */
export async function answerMetrics(
  { metrics, scrapers, authenticator }: MetricsRouteParts,
  request: Request,
  response: Response,
): Promise<Answer | 'sent' | undefined> {
  if (!metrics || request.path !== metricsPath) return undefined
  if (!['GET', 'HEAD'].includes(request.method)) {
    const answer = answerOfOutcome(methodNotAllowed('The metrics can only be read.'))
    return { ...answer, headers: { allow: 'GET, HEAD' } }
  }
  const { authorization } = request.headers
  if (!scrapers.identify(authorization)) {
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
