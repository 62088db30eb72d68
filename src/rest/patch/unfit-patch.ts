import { OperationOutcomeError } from '@medplum/core'
import { errorOutcome } from '../outcomes.ts'

/** The answer to a patch that does not fit the resource. `text` must not hold resource content. */
export function unfitPatchError(text: string): OperationOutcomeError {
  return new OperationOutcomeError(errorOutcome('unprocessable-entity', 'processing', text))
}
