import { allOk, isResource } from '@medplum/core'
import type { FhirRouteHandler } from '@medplum/fhir-router'
import type { OperationOutcome, OperationOutcomeIssue, Parameters } from '@medplum/fhirtypes'
import type { FhirResource, ResourceTypeDefinition } from '../../host/types.ts'
import { badRequestError } from '../../rest/outcomes.ts'
import { issuesOfRegistered } from '../../rest/registered-validation.ts'
import { issuesOfR4 } from '../storage/validation.ts'

/** `POST Type/$validate` and `POST Type/id/$validate` (https://hl7.org/fhir/R4/resource-operation-validate.html): the resource is
 *  the body, the parameter `resource`, or the stored one. Always 200; the issues say what a write would be refused for. */
export function validateRoute(
  registered: ReadonlyMap<string, ResourceTypeDefinition>,
): FhirRouteHandler {
  return async (request, repository) => {
    const { resourceType = '', id } = request.params
    const given = resourceOf(request.body)
    const resource =
      given ?? (id === undefined ? undefined : await repository.readResource(resourceType, id))
    if (!resource) throw badRequestError('Send the resource to validate.', 'required')
    const wide: object = { resourceType, ...resource }
    const issue = await issuesOf(wide as FhirResource, resourceType, registered.get(resourceType))
    const outcome: OperationOutcome = {
      resourceType: 'OperationOutcome',
      issue:
        issue.length > 0
          ? issue
          : [{ severity: 'information', code: 'informational', details: { text: 'Valid' } }],
    }
    return [allOk, outcome]
  }
}

function resourceOf(body: unknown): object | undefined {
  if (body === undefined) return undefined
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw badRequestError('The body must be a resource.', 'structure')
  }
  if (!isParameters(body)) return Object.keys(body).length === 0 ? undefined : body
  return body.parameter?.find(({ name }) => name === 'resource')?.resource
}

function isParameters(body: object): body is Parameters {
  return isResource(body) && body.resourceType === 'Parameters'
}

async function issuesOf(
  resource: FhirResource,
  resourceType: string,
  registered: ResourceTypeDefinition | undefined,
): Promise<OperationOutcomeIssue[]> {
  if (resource.resourceType !== resourceType) {
    throw badRequestError(`The resource must be of the type in the URL, ${resourceType}.`)
  }
  return registered ? issuesOfRegistered(registered, resource) : issuesOfR4(resource)
}
