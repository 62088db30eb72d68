import type { OperationOutcomeIssue } from '@medplum/fhirtypes'
import type { FhirResource } from '../host/types.ts'
import { refusal } from './issue.ts'
import { isJsonObject, objectsIn } from './json-shapes.ts'

/** Extension of `meta` that says which organization a resource was created for.
 *  Source: Aidbox, Organization-based hierarchical access control. */
export const organizationExtensionUrl = 'https://aidbox.app/tenant-organization-id'

const organizationReference = /^Organization\/[A-Za-z0-9\-.]{1,64}$/

/** `Organization/<id>` that the resource belongs to; undefined when it names none, or none that could be looked up. */
export function organizationOf(resource: FhirResource | undefined): string | undefined {
  return writtenOrganizations(resource).find(isOrganization)
}

/** What is wrong with the organization of a topic or destination: one that cannot be understood must not mean "of all". */
export function organizationIssues(resource: FhirResource): OperationOutcomeIssue[] {
  const written = writtenOrganizations(resource)
  if (written.length === 0 || (written.length === 1 && written.every(isOrganization))) return []
  const path = `${resource.resourceType}.meta.extension.where(url='${organizationExtensionUrl}')`
  const text =
    written.length > 1
      ? 'Write one organization; several are not supported.'
      : 'Write the organization as valueReference with a reference of the form Organization/<id>.'
  return [refusal('value', text, path)]
}

/** One value for each extension of the url, of whatever form. */
function writtenOrganizations(resource: FhirResource | undefined): unknown[] {
  return objectsIn(resource?.meta?.['extension'])
    .filter(({ url }) => url === organizationExtensionUrl)
    .map(({ valueReference }) =>
      isJsonObject(valueReference) ? valueReference['reference'] : undefined,
    )
}

function isOrganization(reference: unknown): reference is string {
  return typeof reference === 'string' && organizationReference.test(reference)
}
