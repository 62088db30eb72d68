import type { Change, FhirResource } from '../host/types.ts'
import type { OutboxEvent } from '../outbox/event-cursor.ts'
import { recordSeparator } from './capture-sql.ts'

/** A captured row as the change it is; undefined when the server has stored something that is not JSON. */
export function toChange(event: OutboxEvent): Change | undefined {
  const { interaction, resourceType, resourceId, versionId, at, body } = event
  const [currentJson = '', previousJson = ''] = (body ?? '').split(recordSeparator)
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
