import type { DestinationOverview } from '../outbox/destination-overview.ts'
import { waitingOf } from '../outbox/event-counts.ts'
import type { DestinationState } from '../status/status-parameters.ts'
import type { Health } from './views.ts'

/** A failure is the present one for so long: attempts follow each other in half of it. */
export const recentFailureMs = 120_000
const behindMs = 60_000
/** A loss is told for so long after the last error. */
export const lossShownMs = 300_000
/** Delivery goes on when something was delivered within this time. */
const movingMs = 10_000
/** A failure and its time are written by one statement. */
const sameStatementMs = 500
/** As the pages write numbers. */
const whole = new Intl.NumberFormat('en')

export interface Diagnosis {
  readonly health: Health
  /** In words for whoever is on call; absent where all is well. */
  readonly why?: string
}

/** How a destination does, and why. */
export function diagnose(
  overview: DestinationOverview,
  state: DestinationState,
  nowMs: number,
): Diagnosis {
  if (state.status === 'error') {
    return { health: 'error', why: state.reason ?? 'It cannot be used.' }
  }
  const waiting = waitingOf(overview)
  if (state.status === 'off') {
    return { health: 'off', why: waiting > 0 ? `Paused; ${events(waiting)} waiting.` : 'Paused.' }
  }
  return overview.kind === 'kafka-best-effort'
    ? diagnoseBestEffort(overview, nowMs)
    : diagnoseQueue(overview, waiting, nowMs)
}

function diagnoseBestEffort({ lost, lastErrors }: DestinationOverview, nowMs: number): Diagnosis {
  const [newest] = lastErrors
  const isRecent = newest !== undefined && nowMs - newest.timestamp.getTime() < lossShownMs
  return isRecent && lost > 0 ? { health: 'losing', why: newest.message } : { health: 'ok' }
}

function diagnoseQueue(overview: DestinationOverview, waiting: number, nowMs: number): Diagnosis {
  const { lastFailure, oldestEventAt, touchedAt, leader } = overview
  const failedAtMs = lastFailure?.timestamp.getTime() ?? Number.NEGATIVE_INFINITY
  const touchedAtMs = touchedAt?.getTime() ?? Number.NEGATIVE_INFINITY
  const isDeliveredSince = touchedAtMs - failedAtMs > sameStatementMs
  if (waiting > 0 && lastFailure && !isDeliveredSince && nowMs - failedAtMs < recentFailureMs) {
    return { health: 'stuck', why: lastFailure.message }
  }
  const oldestMs = oldestEventAt ? nowMs - oldestEventAt.getTime() : 0
  if (oldestMs <= behindMs) return diagnoseRest(overview)
  const how = !leader
    ? 'no node delivers them.'
    : isDeliveredSince && nowMs - touchedAtMs < movingMs
      ? 'delivery goes on.'
      : 'none was delivered lately.'
  return { health: 'behind', why: `${events(waiting)} waiting; ${how}` }
}

function diagnoseRest({ dead, undecided }: DestinationOverview): Diagnosis {
  const reasons = [
    ...(dead > 0 ? [`${whole.format(dead)} dead ${dead === 1 ? 'letter' : 'letters'}`] : []),
    ...(undecided > 0 ? [`${events(undecided)} undecided`] : []),
  ]
  return reasons.length === 0
    ? { health: 'ok' }
    : { health: 'attention', why: `${reasons.join(', ')}.` }
}

function events(count: number): string {
  return count === 1 ? '1 event' : `${whole.format(count)} events`
}
