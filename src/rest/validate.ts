import type { OperationOutcome, OperationOutcomeIssue } from '@medplum/fhirtypes'
import type { FhirResource } from '../host/types.ts'
import { isJsonObject, objectsIn } from '../resources/json-shapes.ts'
import { badRequestError } from './outcomes.ts'

/** The resource that `$validate` is about (https://hl7.org/fhir/R4/resource-operation-validate.html): the body, the parameter
 *  `resource` in it, or the stored one.
 *  @throws OperationOutcomeError 400 when there is none, or one of another type */
export async function resourceToValidate(
  resourceType: string,
  body: unknown,
  readStored: () => Promise<FhirResource> | undefined,
): Promise<FhirResource> {
  const resource = resourceOf(body) ?? (await readStored())
  if (!resource) throw badRequestError('Send the resource to validate.', 'required')
  const complete: FhirResource = { resourceType, ...resource }
  if (complete.resourceType === resourceType) return complete
  throw badRequestError(`The resource must be of the type in the URL, ${resourceType}.`)
}

function resourceOf(body: unknown): object | undefined {
  if (body === undefined) return undefined
  if (!isJsonObject(body)) throw badRequestError('The body must be a resource.', 'structure')
  if (body['resourceType'] !== 'Parameters') {
    return Object.keys(body).length === 0 ? undefined : body
  }
  const parameter = objectsIn(body['parameter']).find(({ name }) => name === 'resource')
  const resource = parameter?.['resource']
  return isJsonObject(resource) ? resource : undefined
}

/** The answer of `$validate`, which is 200 whatever the issues say. */
export function validationOutcome(issue: OperationOutcomeIssue[]): OperationOutcome {
  const valid: OperationOutcomeIssue = {
    severity: 'information',
    code: 'informational',
    details: { text: 'Valid' },
  }
  return { resourceType: 'OperationOutcome', issue: issue.length > 0 ? issue : [valid] }
}
