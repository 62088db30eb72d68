import type { Health } from '../../monitor/views.ts'
import { remedyOf } from '../../kafka/causes/remedies.ts'
import { lossShownMs, recentFailureMs } from '../../monitor/health.ts'
import type { JobState } from '../../outbox/jobs.ts'
import { statusOperationDefinition } from '../../resources/status-operation-definition.ts'
import { destinationTypeName } from '../../resources/type-names.ts'
import { counted } from '../counted.ts'
import { printable } from '../printable.ts'
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

/** How a destination does, in the words of the console. Without `behind`: $status has no age of what waits. */
export interface Verdict {
  readonly health: Exclude<Health, 'behind'>
  readonly why?: string
  /** What to do about it, where that can be said. */
  readonly action?: string
  readonly needsSomebody: boolean
}

/** From what $status says. An error that is over is none. */
export function verdictOf(found: DestinationStatus, nowMs: number): Verdict {
  if (found.status === 'error') {
    const why = found.statusReason ?? 'It cannot be used.'
    return { health: 'error', why, needsSomebody: true }
  }
  const waiting = waitingOf(found) ?? 0
  const setAside = setAsideIn(found)
  const needsSomebody = setAside !== undefined
  if (found.status === 'off') {
    const paused = waiting > 0 ? `${counted(waiting, 'event')} waiting` : undefined
    return { health: 'off', ...reasons(paused, setAside), needsSomebody }
  }
  const [newest] = found.lastErrorDetail ?? []
  const ageMs = newest ? nowMs - Date.parse(newest.timestamp) : Number.POSITIVE_INFINITY
  const error = newest && `${newest.message.replace(/\.$/, '')} (${ageText(ageMs)} ago)`
  const remedy = newest && remedyOf(newest.message)
  const action = remedy === undefined ? {} : { action: remedy }
  if (waiting > 0 && ageMs < recentFailureMs) {
    return { health: 'stuck', ...reasons(error, setAside), ...action, needsSomebody: true }
  }
  if ((found.messagesLost ?? 0) > 0 && ageMs < lossShownMs) {
    return { health: 'losing', ...reasons(error), ...action, needsSomebody: true }
  }
  return needsSomebody
    ? {
        health: 'attention',
        ...reasons(setAside, error && `newest error: ${error}`),
        needsSomebody,
      }
    : { health: 'ok', needsSomebody }
}

/** `stuck: no broker answers (12 s ago)` */
export function verdictText({ health, why }: Verdict): string {
  return printable(why === undefined ? health : `${health}: ${why}`)
}

/** Whether somebody has to look at it. */
export function needsAttention(found: DestinationStatus, nowMs: number = Date.now()): boolean {
  return verdictOf(found, nowMs).needsSomebody
}

/** Events that Kafka does not have yet; undefined where $status counts none. */
export function waitingOf(found: DestinationStatus): number | undefined {
  const { messagesQueued, messagesInProcess } = found
  if (messagesQueued === undefined && messagesInProcess === undefined) return undefined
  return (messagesQueued ?? 0) + (messagesInProcess ?? 0)
}

function setAsideIn(found: DestinationStatus): string | undefined {
  const { messagesDead = 0, messagesUndecided = 0, messagesLost } = found
  // Best effort keeps no undecided events: they are among the lost ones.
  const undecided = messagesLost === undefined ? messagesUndecided : 0
  if (messagesDead + undecided === 0) return undefined
  const parts = [
    ...(messagesDead > 0 ? [counted(messagesDead, 'dead letter')] : []),
    ...(undecided > 0 ? [counted(undecided, 'undecided event')] : []),
  ]
  return `${parts.join(', ')} ${messagesDead + undecided === 1 ? 'waits' : 'wait'} for a person`
}

function reasons(...all: readonly (string | undefined)[]): { readonly why?: string } {
  const given = all.filter((each) => each !== undefined)
  return given.length === 0 ? {} : { why: given.join('; ') }
}

const units = [
  { name: 'd', lengthMs: 86_400_000 },
  { name: 'h', lengthMs: 3_600_000 },
  { name: 'min', lengthMs: 60_000 },
] as const

/** In the largest unit of which there are two. A clock that goes before the server's makes no negative age. */
function ageText(ageMs: number): string {
  const unit = units.find(({ lengthMs }) => ageMs >= 2 * lengthMs) ?? { name: 's', lengthMs: 1000 }
  return `${Math.max(0, Math.floor(ageMs / unit.lengthMs))} ${unit.name}`
}
