import type { CheckedSyntax } from './criteria-check.ts'
import { asksForPrevious } from './unknown-previous.ts'

/** What a criteria says of itself. */
export interface CriteriaFacts {
  /** Why it cannot be evaluated on any change; one sentence with its place. */
  readonly fault: string | undefined
  readonly usesPrevious: boolean
}

export function factsOf({ ast, issues }: CheckedSyntax): CriteriaFacts {
  const [fault] = issues
  if (!ast || fault) {
    const place = fault?.position
      ? ` (line ${fault.position.line}, column ${fault.position.column})`
      : ''
    // Once it is corrected, the events that wait for it may need what was before them.
    return { fault: `${fault?.message ?? 'It is not FHIRPath.'}${place}`, usesPrevious: true }
  }
  return { fault: undefined, usesPrevious: asksForPrevious(ast) }
}
