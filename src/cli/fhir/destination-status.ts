import { lossShownMs, recentFailureMs } from '../../monitor/health.ts'
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
  readonly messagesInProcess?: number
  readonly messagesLost?: number
  readonly statusReason?: string
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

/** What keeps events from Kafka now, has lost some or set some aside, in words; undefined when nothing does. An error that is over is none. */
export function troubleOf(found: DestinationStatus, nowMs: number): string | undefined {
  if (found.status === 'error') return found.statusReason ?? 'It cannot be used.'
  const [newest] = found.lastErrorDetail ?? []
  if (!newest) return undefined
  const { status, messagesQueued = 0, messagesInProcess = 0, messagesLost = 0 } = found
  const ageMs = nowMs - Date.parse(newest.timestamp)
  const isStuck = messagesQueued + messagesInProcess > 0 && ageMs < recentFailureMs
  const isLosing = messagesLost > 0 && ageMs < lossShownMs
  const isInTrouble = (status !== 'off' && (isStuck || isLosing)) || setAsideIn(found) > 0
  return isInTrouble ? newest.message : undefined
}

function setAsideIn({ messagesDead = 0, messagesUndecided = 0 }: DestinationStatus): number {
  return messagesDead + messagesUndecided
}

/** Whether somebody has to look at it. */
export function needsAttention(found: DestinationStatus, nowMs: number = Date.now()): boolean {
  return setAsideIn(found) > 0 || troubleOf(found, nowMs) !== undefined
}
