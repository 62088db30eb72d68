import { remedyOf } from '../kafka/causes/remedies.ts'
import { actionOf } from '../observability/log-lines.ts'
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
  /** What to do about it, where that can be said. */
  readonly action?: string
}

/** What has been seen of a destination over time, beside what is read of it. */
export interface Movement {
  readonly nowMs: number
  /** Undefined while it has been looked at once only. */
  readonly deliveredPerSecond: number | undefined
  /** When events were lost last; undefined: none were. */
  readonly lostAtMs: number | undefined
}

/** How a destination does, and why. */
export function diagnose(
  overview: DestinationOverview,
  state: DestinationState,
  movement: Movement,
): Diagnosis {
  if (state.status === 'error') {
    return diagnosis('error', state.reason ?? 'It cannot be used.', state.action)
  }
  const waiting = waitingOf(overview)
  if (state.status === 'off') {
    return { health: 'off', why: waiting > 0 ? `Paused; ${events(waiting)} waiting.` : 'Paused.' }
  }
  return overview.kind === 'kafka-best-effort'
    ? diagnoseBestEffort(overview, waiting, movement)
    : diagnoseQueue(overview, waiting, movement.nowMs)
}

function diagnosis(health: Health, why: string, action: string | undefined): Diagnosis {
  return { health, why, ...(action === undefined ? {} : { action }) }
}

/** Nothing says of best effort whether an event was delivered after a failure, so it is seen from its counts. */
function diagnoseBestEffort(
  { lastErrors }: DestinationOverview,
  waiting: number,
  { nowMs, deliveredPerSecond, lostAtMs = Number.NEGATIVE_INFINITY }: Movement,
): Diagnosis {
  const [newest] = lastErrors
  if (!newest) return { health: 'ok' }
  const { message } = newest
  if (nowMs - lostAtMs < lossShownMs) return diagnosis('losing', message, remedyOf(message))
  const isRecent = nowMs - newest.timestamp.getTime() < recentFailureMs
  const isStuck = waiting > 0 && deliveredPerSecond === 0 && isRecent
  return isStuck ? diagnosis('stuck', message, remedyOf(message)) : { health: 'ok' }
}

function diagnoseQueue(overview: DestinationOverview, waiting: number, nowMs: number): Diagnosis {
  const { lastFailure, oldestEventAt, touchedAt, leader } = overview
  const failedAtMs = lastFailure?.timestamp.getTime() ?? Number.NEGATIVE_INFINITY
  const touchedAtMs = touchedAt?.getTime() ?? Number.NEGATIVE_INFINITY
  const isDeliveredSince = touchedAtMs - failedAtMs > sameStatementMs
  if (waiting > 0 && lastFailure && !isDeliveredSince && nowMs - failedAtMs < recentFailureMs) {
    return diagnosis('stuck', lastFailure.message, remedyOf(lastFailure.message))
  }
  const oldestMs = oldestEventAt ? nowMs - oldestEventAt.getTime() : 0
  if (oldestMs <= behindMs) return diagnoseRest(overview)
  const are = `${events(waiting)} waiting;`
  if (!leader) {
    return diagnosis('behind', `${are} no node delivers them.`, actionOf('session-failed'))
  }
  const isMoving = isDeliveredSince && nowMs - touchedAtMs < movingMs
  return isMoving
    ? { health: 'behind', why: `${are} delivery goes on.` }
    : diagnosis('behind', `${are} none was delivered lately.`, `Look at the log of ${leader.name}.`)
}

function diagnoseRest({ dead, undecided }: DestinationOverview): Diagnosis {
  const reasons = [
    ...(dead > 0 ? [`${whole.format(dead)} dead ${dead === 1 ? 'letter' : 'letters'}`] : []),
    ...(undecided > 0 ? [`${events(undecided)} undecided`] : []),
  ]
  const actions = [
    ...(dead > 0 ? [actionOf('dead-letter')] : []),
    ...(undecided > 0 ? [actionOf('undecided')] : []),
  ]
  return reasons.length === 0
    ? { health: 'ok' }
    : diagnosis('attention', `${reasons.join(', ')}.`, actions.join(' '))
}

function events(count: number): string {
  return count === 1 ? '1 event' : `${whole.format(count)} events`
}
