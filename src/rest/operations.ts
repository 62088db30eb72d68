import type { Parameters } from '@medplum/fhirtypes'
import { badRequestError } from './outcomes.ts'

/** The input of an operation.
 *  @throws OperationOutcomeError `bad-request` when the body is neither Parameters nor empty */
export function operationInput(body: unknown): Parameters | undefined {
  if (body === undefined || body === null) return undefined
  if (typeof body === 'object') {
    if (Object.keys(body).length === 0) return undefined
    if ('resourceType' in body && body.resourceType === 'Parameters') return body as Parameters
  }
  throw badRequestError('The body of an operation must be a Parameters resource.', 'structure')
}
