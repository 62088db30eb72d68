import { notFoundError } from '../../rest/outcomes.ts'
import { parseTarget, type RequestTarget } from '../../rest/request-url.ts'

/** First path segment of every FHIR URL of the server. */
export const basePath = 'fhir'

/** A request below /fhir: takes `/fhir`, `/fhir/`, `//fhir//Patient/1` and percent-encoded segments.
 *  @throws OperationOutcomeError `not-found` outside the base, `bad-request` when the encoding is broken */
export function parseTargetBelowBase(rawUrl: string): RequestTarget {
  const { segments, ...target } = parseTarget(rawUrl)
  const [base, ...below] = segments
  if (base !== basePath) throw notFoundError('The FHIR service is at /fhir.')
  return { ...target, segments: below }
}
