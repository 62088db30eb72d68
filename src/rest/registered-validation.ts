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
  const issue = await issuesOfRegistered(definition, resource, previous)
  if (issue.some(({ severity }) => severity === 'error')) {
    throw new OperationOutcomeError({
      resourceType: 'OperationOutcome',
      id: 'unprocessable-entity',
      issue,
    })
  }
}

/** What the module of a registered type says against a resource, warnings too. */
export async function issuesOfRegistered(
  definition: ResourceTypeDefinition,
  resource: FhirResource,
  previous?: FhirResource,
): Promise<OperationOutcomeIssue[]> {
  return [...(await definition.validate(resource, previous)), ...structureOf(resource).issues]
}
