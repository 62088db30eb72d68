import { allOk, OperationOutcomeError } from '@medplum/core'
import type { OperationOutcome, Parameters, Resource } from '@medplum/fhirtypes'
import type { Operation, Principal } from '../host/types.ts'
import { badRequestError, errorOutcome } from './outcomes.ts'

/** A request for an operation, with the parsed body of a POST. */
export interface OperationCall {
  readonly method: 'GET' | 'POST'
  /** On instance level. */
  readonly id: string | undefined
  readonly body: unknown
  readonly principal: Principal | undefined
}

/** An operation that changes something does it in transactions of its own, which no other one takes back with itself.
 *  @throws OperationOutcomeError 422 */
export function assertOutsideTransaction(operation: Operation): void {
  if (operation.definition.affectsState !== true) return
  const text = `$${operation.code} cannot be undone with a transaction. Call it by itself, or in a batch.`
  throw new OperationOutcomeError(errorOutcome('unprocessable-entity', 'not-supported', text))
}

/** The operation that a path leads to. */
export function operationAt(
  operations: readonly Operation[],
  segments: readonly string[],
): Operation | undefined {
  const level = segments.length === 2 ? 'type' : segments.length === 3 ? 'instance' : undefined
  return operations.find(
    (each) =>
      each.level === level &&
      each.resourceType === segments[0] &&
      `$${each.code}` === segments.at(-1),
  )
}

/** Calls the operation. The answer for a missing instance is the one that reading it would give.
 *  @param read reads the instance, and throws when there is none
 *  @throws OperationOutcomeError `bad-request` when the body is neither Parameters nor empty */
export async function answerOperation(
  operation: Operation,
  { method, id, body, principal }: OperationCall,
  read: (id: string) => Promise<unknown>,
): Promise<[OperationOutcome] | [OperationOutcome, Resource]> {
  if (id !== undefined) await read(id)
  const input = method === 'POST' ? operationInput(body) : undefined
  const { outcome = allOk, resource } = await operation.handle({
    method,
    ...(id === undefined ? {} : { id }),
    ...(input ? { input } : {}),
    ...(principal ? { principal } : {}),
  })
  return resource ? [outcome, resource] : [outcome]
}

function operationInput(body: unknown): Parameters | undefined {
  if (body === undefined || body === null) return undefined
  if (typeof body === 'object' && !Array.isArray(body)) {
    if (Object.keys(body).length === 0) return undefined
    if ('resourceType' in body && body.resourceType === 'Parameters') return body as Parameters
  }
  throw badRequestError('The body of an operation must be a Parameters resource.', 'structure')
}
