import type { OperationOutcomeIssue } from '@medplum/fhirtypes'
import type { FhirResource } from '../host/types.ts'

/** Faults and warnings of the triggers of an AidboxSubscriptionTopic that a client wants to write.
 *  Issues of severity `error` must refuse the write. */
export function checkTopicTriggers(resource: FhirResource): OperationOutcomeIssue[] {
  return Array.isArray(resource['trigger']) ? [] : []
}
