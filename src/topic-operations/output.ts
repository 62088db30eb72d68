import type { OperationOutcomeIssue, ParametersParameter } from '@medplum/fhirtypes'

/** A parameter when there is a value for it. */
export function optional<Key extends keyof ParametersParameter>(
  name: string,
  key: Key,
  value: ParametersParameter[Key] | undefined,
): ParametersParameter[] {
  // FHIR has no empty strings.
  return value === undefined || value === '' ? [] : [{ name, [key]: value }]
}

/** The issues that come with an answer; none when there are none. */
export function outcomeParameter(issue: readonly OperationOutcomeIssue[]): ParametersParameter[] {
  if (issue.length === 0) return []
  return [{ name: 'outcome', resource: { resourceType: 'OperationOutcome', issue: [...issue] } }]
}
