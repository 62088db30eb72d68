import type { OperationOutcome } from '@medplum/fhirtypes'
import type { Logger } from '../observability/logger.ts'
import { outcomeOfError, statusOf } from './outcomes.ts'

/** What a client is told about an error that ended its request. What nobody foresaw is logged, and that a request was refused for now.
 *
 *  @param fields of the line, beside status and error */
export function toldOutcome(error: unknown, logger: Logger, fields: object = {}): OperationOutcome {
  const outcome = outcomeOfError(error)
  const status = statusOf(outcome)
  const told = { ...fields, status, err: error }
  if (status === 503) logger.warn(told, 'a request was refused for now')
  // That a server cannot do something is foreseen.
  else if (status >= 500 && status !== 501) logger.error(told, 'a request failed unexpectedly')
  return outcome
}
