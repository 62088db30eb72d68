import type { OperationOutcomeIssue } from '@medplum/fhirtypes'
import { kafkaCauses } from '../kafka/kafka-causes.ts'
import type { PreflightFinding } from '../kafka/preflight/findings.ts'
import { valuePath } from '../resources/read-parameters.ts'

/** What a preflight has found, each with the path of the parameter to look at. */
export function preflightIssues(findings: readonly PreflightFinding[]): OperationOutcomeIssue[] {
  return findings.map(({ severity, message, causeName }) => {
    const row = causeName && kafkaCauses[causeName]
    const code = row?.issue ?? (severity === 'information' ? 'informational' : 'incomplete')
    return {
      severity,
      code,
      details: { text: message },
      ...(row ? { expression: [valuePath(row.parameter)] } : {}),
    }
  })
}
