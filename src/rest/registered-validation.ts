import { OperationOutcomeError } from '@medplum/core'
import type { OperationOutcomeIssue } from '@medplum/fhirtypes'
import type { FhirResource, ResourceTypeDefinition } from '../host/types.ts'
import { structureOf } from './json-structure.ts'

/** Checks a resource of a registered type by the rules of its module.
 *  @throws OperationOutcomeError `unprocessable-entity` (422) */
export async function assertValidRegistered(
  definition: ResourceTypeDefinition,
  resource: FhirResource,
  previous: FhirResource | undefined,
): Promise<void> {
  assertNoError(await issuesOfRegistered(definition, resource, previous))
}

/** @throws OperationOutcomeError `unprocessable-entity` (422) with all of them, when one is an error */
export function assertNoError(issues: readonly OperationOutcomeIssue[]): void {
  if (!issues.some(({ severity }) => severity === 'error')) return
  throw new OperationOutcomeError({
    resourceType: 'OperationOutcome',
    id: 'unprocessable-entity',
    issue: [...issues],
  })
}

/** What the module of a registered type says against a resource, warnings too. */
export async function issuesOfRegistered(
  definition: ResourceTypeDefinition,
  resource: FhirResource,
  previous?: FhirResource,
): Promise<OperationOutcomeIssue[]> {
  return [...(await definition.validate(resource, previous)), ...structureOf(resource).issues]
}
