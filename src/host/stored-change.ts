import type { Change, FhirResource, Interaction } from './types.ts'

/** A change as rows hold it. */
export interface StoredChange {
  readonly interaction: Interaction
  readonly resourceType: string
  readonly resourceId: string
  readonly versionId?: string | undefined
  readonly at: Date
}

/** The change whose versions were stored as these JSON texts; '' is none. Undefined when one of them is not JSON. */
export function changeFromJson(
  { interaction, resourceType, resourceId, versionId, at }: StoredChange,
  currentJson: string,
  previousJson: string,
): Change | undefined {
  try {
    return {
      interaction,
      resourceType,
      id: resourceId,
      at,
      ...(versionId !== undefined && { versionId }),
      ...(currentJson !== '' && { current: parse(currentJson), currentJson }),
      ...(previousJson !== '' && { previous: parse(previousJson) }),
    }
  } catch {
    return undefined
  }
}

function parse(json: string): FhirResource {
  // Stored by a FHIR server as a resource; what it holds is the matter of the criteria.
  return JSON.parse(json) as FhirResource
}
