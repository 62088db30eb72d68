import type { JobState } from '../../outbox/jobs.ts'
import { statusOperationDefinition } from '../../resources/status-operation-definition.ts'
import { destinationTypeName } from '../../resources/type-names.ts'
import type { FhirServer } from './fhir-server.ts'
import { plainParameters } from './plain-parameters.ts'

/** `$status` by name. */
export interface DestinationStatus {
  readonly status?: string
  readonly messagesDead?: number
  readonly messagesUndecided?: number
  readonly messagesQueued?: number
  readonly messagesDelivered?: number
  readonly lastErrorDetail?: readonly { readonly message: string; readonly timestamp: string }[]
  readonly job?: readonly JobStatus[]
  readonly [name: string]: unknown
}

export interface JobStatus {
  readonly id: number
  readonly kind: string
  readonly state: JobState
  readonly total?: number
  readonly sent: number
  readonly failed: number
  readonly error?: string
}

export async function readStatus(
  server: FhirServer,
  id: string,
  stopped?: AbortSignal,
): Promise<DestinationStatus> {
  const answer = await server.get(`${destinationTypeName}/${id}/$status`, stopped)
  return plainParameters(answer, statusOperationDefinition)
}

/** Whether somebody has to look at it. */
export function needsAttention({
  status,
  messagesDead = 0,
  messagesUndecided = 0,
}: DestinationStatus): boolean {
  return status === 'error' || messagesDead + messagesUndecided > 0
}
