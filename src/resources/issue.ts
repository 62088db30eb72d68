import type { OperationOutcomeIssue } from '@medplum/fhirtypes'

/** A body of many small faults must not become an answer many times its size. */
export const maxIssues = 50

/** An issue that refuses a write.
 *  @param text one sentence that says what to write instead; never holds a secret
 *  @param expression FHIRPath of the element at fault */
export function refusal(
  code: NonNullable<OperationOutcomeIssue['code']>,
  text: string,
  ...expression: string[]
): OperationOutcomeIssue {
  return { severity: 'error', code, details: { text }, expression }
}
