import { OperationOutcomeError, getStatus } from '@medplum/core'
import type { OperationOutcome, OperationOutcomeIssue } from '@medplum/fhirtypes'
import { isTopicDestinationError } from '../errors.ts'
import { isDatabaseUnavailable, isRetryable } from './database-errors.ts'

/** Outcomes name their HTTP status by `id`, as those of @medplum/core do; these are the ones it does not know. */
const statusById: Readonly<Record<string, number>> = {
  'no-content': 204,
  'method-not-allowed': 405,
  'not-acceptable': 406,
  'payload-too-large': 413,
  'unsupported-media-type': 415,
  'unprocessable-entity': 422,
  'internal-error': 500,
  'not-implemented': 501,
  unavailable: 503,
}

/** HTTP status of an outcome, also for the entries of a bundle. An outcome without a known `id` is a bad request. */
export function statusOf(outcome: OperationOutcome): number {
  return statusById[outcome.id ?? ''] ?? getStatus(outcome)
}

type IssueCode = OperationOutcomeIssue['code']

/** An OperationOutcome of one error; `text` is for people and never holds resource content. */
export function errorOutcome(id: string, code: IssueCode, text: string): OperationOutcome {
  return {
    resourceType: 'OperationOutcome',
    id,
    issue: [{ severity: 'error', code, details: { text } }],
  }
}

export function badRequestError(text: string, code: IssueCode = 'invalid'): OperationOutcomeError {
  return new OperationOutcomeError(errorOutcome('bad-request', code, text))
}

export function notFoundError(text: string): OperationOutcomeError {
  return new OperationOutcomeError(errorOutcome('not-found', 'not-found', text))
}

export function methodNotAllowed(text: string): OperationOutcome {
  return errorOutcome('method-not-allowed', 'not-supported', text)
}

export function payloadTooLarge(limitBytes: number): OperationOutcome {
  return errorOutcome(
    'payload-too-large',
    'too-long',
    `The body is larger than ${limitBytes} bytes.`,
  )
}

export function unsupportedMediaType(text: string): OperationOutcome {
  return errorOutcome('unsupported-media-type', 'not-supported', text)
}

export function unavailable(text: string): OperationOutcome {
  return errorOutcome('unavailable', 'transient', text)
}

export function notImplemented(text: string): OperationOutcome {
  return errorOutcome('not-implemented', 'not-supported', text)
}

export const noContent: OperationOutcome = {
  resourceType: 'OperationOutcome',
  id: 'no-content',
  issue: [{ severity: 'information', code: 'informational', details: { text: 'Deleted' } }],
}

/** What a client is told about an error. One that nobody foresaw becomes 500 without a word of its message, which may
 *  quote SQL or content. */
export function outcomeOfError(error: unknown): OperationOutcome {
  if (error instanceof OperationOutcomeError) return error.outcome
  return (
    outcomeOfModuleError(error) ??
    outcomeOfDatabaseError(error) ??
    outcomeOfEngineLimit(error) ??
    errorOutcome('internal-error', 'exception', 'The server failed; its log says why.')
  )
}

function outcomeOfModuleError(error: unknown): OperationOutcome | undefined {
  if (!isTopicDestinationError(error)) return undefined
  if (error.expression === undefined) return undefined
  const issue: OperationOutcomeIssue = {
    severity: 'error',
    code: 'invalid',
    details: { text: error.message },
    expression: [error.expression],
  }
  return { resourceType: 'OperationOutcome', id: 'unprocessable-entity', issue: [issue] }
}

/** SQLSTATEs: class 22 = data that PostgreSQL cannot hold, 23505 and class 40 = a lost race, 57014 and 55P03 = took too long. A race that
 *  the same request may win is `transient`. */
function outcomeOfDatabaseError(error: unknown): OperationOutcome | undefined {
  if (isDatabaseUnavailable(error)) return unavailable('The database cannot be reached.')
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (/^22...$/.test(code)) {
    return errorOutcome(
      'bad-request',
      'value',
      'The request holds a value that cannot be stored or searched.',
    )
  }
  if (code === '57014' || code === '55P03') return unavailable('The database took too long.')
  if (code === '23505' || /^40...$/.test(code)) {
    const text = 'Another request changed the same resources at the same time.'
    return isRetryable(error)
      ? errorOutcome('conflict', 'transient', `${text} Send it again.`)
      : errorOutcome('conflict', 'conflict', text)
  }
  return undefined
}

function outcomeOfEngineLimit(error: unknown): OperationOutcome | undefined {
  if (!(error instanceof RangeError) || !error.message.includes('call stack')) return undefined
  return errorOutcome('bad-request', 'too-costly', 'The request is nested too deeply.')
}
