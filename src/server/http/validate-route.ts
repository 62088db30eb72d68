import { allOk } from '@medplum/core'
import type { FhirRouteHandler } from '@medplum/fhir-router'
import type { ResourceTypeDefinition } from '../../host/types.ts'
import { issuesOfRegistered } from '../../rest/registered-validation.ts'
import { asJson } from '../../rest/resource-shapes.ts'
import { resourceToValidate, validationOutcome } from '../../rest/validate.ts'
import { issuesOfR4 } from '../storage/validation.ts'

/** `POST Type/$validate` and `POST Type/id/$validate`. */
export function validateRoute(
  registered: ReadonlyMap<string, ResourceTypeDefinition>,
): FhirRouteHandler {
  return async (request, repository) => {
    const { resourceType = '', id } = request.params
    const readStored = async (storedId: string) =>
      asJson(await repository.readResource(resourceType, storedId))
    const resource = await resourceToValidate(resourceType, request.body, () =>
      id === undefined ? undefined : readStored(id),
    )
    const definition = registered.get(resourceType)
    const issue = definition ? await issuesOfRegistered(definition, resource) : issuesOfR4(resource)
    return [allOk, validationOutcome(issue)]
  }
}
