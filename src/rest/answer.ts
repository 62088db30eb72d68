import type { IncomingHttpHeaders } from 'node:http'
import type { CapabilityStatement, OperationOutcome } from '@medplum/fhirtypes'
import type { FhirResource } from '../host/types.ts'
import { asJson } from './resource-shapes.ts'
import { isNotModified } from './preconditions.ts'
import { noContent, statusOf } from './outcomes.ts'
import type { RestInteraction, RestResponse } from './routing.ts'

/** What goes over the wire. Without `body` nothing but headers is sent. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body?: CapabilityStatement | FhirResource | OperationOutcome
}

/** Seconds after which a client of an unavailable server should try again. */
const retryAfterSeconds = '2'

const writes: readonly RestInteraction[] = ['create', 'update', 'patch']
const reads: readonly RestInteraction[] = ['read', 'vread']

/** Turns a route's response into status, headers and body (https://hl7.org/fhir/R4/http.html).
 *  Writes answer Location and ETag; reads ETag and Last-Modified, or 304; `Prefer: return` chooses the body of a write. */
export function answerOf(
  [outcome, resource]: RestResponse,
  interaction: RestInteraction,
  headers: IncomingHttpHeaders,
  baseUrl: string,
): Answer {
  if (resource === undefined) return answerOfOutcome(outcome, interaction, headers)
  const body = asJson(resource)
  const isWrite = writes.includes(interaction)
  if (!isWrite && !reads.includes(interaction))
    return { status: statusOf(outcome), headers: {}, body }
  const versionHeaders = headersOfVersion(body)
  if (!isWrite) {
    const [ifNoneMatch, ifModifiedSince] = [headers['if-none-match'], headers['if-modified-since']]
    const isUnchanged = isNotModified(body, { ifNoneMatch, ifModifiedSince })
    return isUnchanged
      ? { status: 304, headers: versionHeaders }
      : { status: statusOf(outcome), headers: versionHeaders, body }
  }
  const answer = {
    status: statusOf(outcome),
    headers: { ...versionHeaders, ...locationOf(body, baseUrl) },
  }
  const preferred = preferredReturn(headers)
  if (preferred === 'minimal') return answer
  return { ...answer, body: preferred === 'operationoutcome' ? outcome : body }
}

/** An answer whose body, if any, is the outcome itself. */
export function answerOfOutcome(
  outcome: OperationOutcome,
  interaction?: RestInteraction,
  headers: IncomingHttpHeaders = {},
): Answer {
  const status = statusOf(outcome)
  if (
    interaction === 'delete' &&
    status === 200 &&
    preferredReturn(headers) !== 'operationoutcome'
  ) {
    return { status: statusOf(noContent), headers: {} }
  }
  return {
    status,
    headers: status === 503 ? { 'retry-after': retryAfterSeconds } : {},
    body: outcome,
  }
}

function headersOfVersion({ meta }: FhirResource): Record<string, string> {
  return {
    ...(meta?.versionId === undefined ? {} : { etag: `W/"${meta.versionId}"` }),
    ...(meta?.lastUpdated === undefined
      ? {}
      : { 'last-modified': new Date(meta.lastUpdated).toUTCString() }),
  }
}

function locationOf(
  { resourceType, id, meta }: FhirResource,
  baseUrl: string,
): Record<string, string> {
  if (id === undefined) return {}
  const version = meta?.versionId === undefined ? '' : `/_history/${meta.versionId}`
  return { location: `${baseUrl}/${resourceType}/${id}${version}` }
}

/** `minimal`, `representation`, `operationoutcome`, or undefined when the client does not say. */
function preferredReturn({ prefer }: IncomingHttpHeaders): string | undefined {
  const text = Array.isArray(prefer) ? prefer.join(',') : prefer
  return /(?:^|[,;\s])return=([a-z]+)/i.exec(text ?? '')?.[1]?.toLowerCase()
}
