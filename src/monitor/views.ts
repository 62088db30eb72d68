import type { DestinationKind } from '../outbox/destination-row.ts'
import type { EventCounts } from '../outbox/event-counts.ts'

/** What the monitor tells and the console's JSON API answers. Times are ISO 8601 in UTC; what is absent is not known or does not apply. Nothing
 *  here holds resource content or a secret. */

/** How a destination does, the worst first.
 *  - `error`: it cannot be used as it is stored, or its topic cannot.
 *  - `stuck`: events wait, and the last thing that happened was a failure.
 *  - `losing`: best effort, and events were lost within the last minutes.
 *  - `behind`: the oldest event waits for more than a minute.
 *  - `attention`: it delivers, and there are dead letters or undecided events, which wait for a person.
 *  - `off`: paused.
 *  - `ok` */
export const healths = ['error', 'stuck', 'losing', 'behind', 'attention', 'off', 'ok'] as const
export type Health = (typeof healths)[number]

export interface ErrorView {
  readonly message: string
  readonly at: string
}

export interface DestinationView {
  readonly reference: string
  readonly id: string
  readonly kind: DestinationKind
  readonly topicUrl: string
  /** Reference of the organization whose events are wanted; absent: all. */
  readonly organization?: string
  /** Absent while the destination cannot be used. */
  readonly kafkaTopic?: string
  /** As $status says it. */
  readonly status: 'active' | 'off' | 'error'
  readonly health: Health
  /** Why `health` is not `ok`, in words. */
  readonly why?: string
  /** What to do about it, where that can be said. */
  readonly action?: string
  /** Those of $status, by the same rules. */
  readonly counts: EventCounts
  /** Events delivered a second, over the last ten seconds or since the last sample. */
  readonly deliveredPerSecond?: number
  /** When the oldest event that is not delivered was written. */
  readonly oldestQueuedAt?: string
  /** Newest first, at most five. */
  readonly errors: readonly ErrorView[]
  /** The node that delivers it: host name and process id. */
  readonly leader?: { readonly name: string; readonly isThisNode: boolean }
  /** Where this node delivers it: whether it is connected to Kafka, how many attempts have failed since the last success, and how long it waits at most
   *  before the next one. */
  readonly lane?: {
    readonly isConnected: boolean
    readonly failures: number
    readonly waitsUpToMs: number
  }
  /** When the destination was created. */
  readonly startedAt: string
  /** When something was delivered, or an attempt failed. */
  readonly lastActivityAt?: string
  /** Of the last event that was delivered or set aside. */
  readonly lastEventNumber: number
  /** Whether Kafka keeps checkpoints, so that a crash sends nothing twice. Absent before the first delivery. */
  readonly exactlyOnce?: boolean
  readonly exactlyOnceFault?: string
  /** Kafka topic of the last checkpoint. */
  readonly checkpointTopic?: string
}

/** What was counted over the last hour, in the memory of the node that answers. One entry of each list for a time; null: not known. */
export interface Series {
  /** ISO times, ascending. */
  readonly at: readonly string[]
  /** Events a second. */
  readonly deliveredPerSecond: readonly (number | null)[]
  /** Failed attempts a second, of best effort lost events a second. */
  readonly failedPerSecond: readonly (number | null)[]
  /** Events that wait: queued and in process. */
  readonly waiting: readonly number[]
}

export interface DestinationRowView extends DestinationView {
  /** Events delivered a second in each of the last 60 minutes, the newest last; null where this node has not looked. */
  readonly lastHour: readonly (number | null)[]
}

export interface Summary {
  /** Time of the figures. */
  readonly at: string
  /** Name of the node that answers: host name and process id. Absent while it is not present. */
  readonly node?: string
  readonly destinations: number
  readonly byHealth: Readonly<Record<Health, number>>
  readonly deliveredPerSecond: number
  readonly waiting: number
  readonly dead: number
  readonly undecided: number
  readonly lost: number
  /** Of the oldest event that waits anywhere. */
  readonly oldestQueuedAt?: string
}

export interface NodeView {
  /** Host name and process id. */
  readonly name: string
  readonly isThisNode: boolean
  readonly startedAt: string
  /** At-least-once destinations that it delivers. */
  readonly destinations: number
}

export interface TriggerView {
  /** `*`: every type. */
  readonly resourceType: string
  readonly interactions: readonly string[]
  readonly criteria?: string
}

export interface TopicName {
  readonly reference: string
  readonly id: string
  readonly url: string
  /** Reference of the organization whose changes it selects; absent: all. */
  readonly organization?: string
}

export interface TopicView extends TopicName {
  readonly status: string
  readonly triggers: readonly TriggerView[]
  /** Why it cannot be used as it is stored. */
  readonly fault?: string
  /** References of the destinations that get its events. */
  readonly destinations: readonly string[]
  /** Events that its destinations have got since they were created, one for each destination: delivered, waiting, set aside, lost. Events that another
   *  topic had sent to one of them before count as well. */
  readonly events: number
  readonly deliveredPerSecond?: number
}

/** A change of a resource, without its content. */
export interface ChangeView {
  readonly topicUrl: string
  readonly interaction: string
  /** `Patient/1` */
  readonly resource: string
  readonly versionId?: string
  /** Time of the change. */
  readonly at: string
}

export interface DeadLetterView extends ChangeView {
  readonly eventNumber: number
  /** Reference of the organization that the destination was limited to when the event was written; absent: all. */
  readonly organization?: string
  readonly failedAt: string
  readonly correlationId?: string
  readonly error: string
}

export interface UndecidedView extends ChangeView {
  readonly id: string
  readonly organization?: string
  readonly attempts: number
  readonly nextAttemptAt?: string
  readonly correlationId?: string
  readonly error: string
}

/** One notification of the live tail. */
export interface TailEntry extends ChangeView {
  /** Rises. */
  readonly number: number
  /** `delivered`: Kafka has it. `handed-over`: best effort, on this node. */
  readonly state: 'delivered' | 'handed-over'
  /** Its reference. */
  readonly destination: string
  /** Reference of the organization that the destination is limited to; absent: all. */
  readonly organization?: string
  /** Of the one that it was limited to when the event was written; absent: all. */
  readonly eventOrganization?: string
}
