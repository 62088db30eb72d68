import type { DestinationKind } from './destination-row.ts'

/** What was counted of one destination, over all nodes and restarts. */
export interface EventCounts {
  readonly delivered: number
  /** At least once: failed attempts to send. */
  readonly failedAttempts: number
  /** Handed to Kafka and not settled. */
  readonly inProcess: number
  /** At least once: committed, not delivered, not in process. */
  readonly queued: number
  /** At least once: set aside because Kafka can never take them, and still there. */
  readonly dead: number
  /** Events whose criteria could not be decided. At least once: those that are kept and would be delivered to this destination if they fired now, also
   *  from before it was created; best effort: of those lost. */
  readonly undecided: number
  /** At least once: undecided events that were counted only, because there were too many. */
  readonly notKept: number
  /** At least once: events that were undecided and turned out not to be selected. */
  readonly notFired: number
  /** At least once: undecided events and dead letters that an operator has discarded. */
  readonly discarded: number
  /** Best effort: dropped, or in the memory of a process that died. */
  readonly lost: number
}

const ofBoth: readonly string[] = ['delivered', 'undecided', 'inProcess']

/** Whether a destination of this kind has the count, or an age of its queue. */
export function hasCount(
  kind: DestinationKind,
  name: keyof EventCounts | 'oldestEventAge',
): boolean {
  if (ofBoth.includes(name)) return true
  return (name === 'lost') === (kind === 'kafka-best-effort')
}

/** Events that are neither delivered nor set aside. */
export function waitingOf({
  queued,
  inProcess,
}: Pick<EventCounts, 'queued' | 'inProcess'>): number {
  return queued + inProcess
}
