export type DestinationKind = 'kafka-best-effort' | 'kafka-at-least-once'

export interface DestinationRow {
  readonly destinationId: number
  /** `AidboxTopicDestination/<id>` */
  readonly reference: string
  readonly kind: DestinationKind
  readonly topicId: number
  readonly topicUrl: string
  /** Reference of the organization whose events, and those of organizations below it, are wanted; '' for all. */
  readonly organization: string
  /** Rises with every change of what the destination reads. */
  readonly sourceVersion: number
  /** Moves from and to the topic, of any destination, that are under way. */
  readonly moves: readonly number[]
  readonly startedAt: Date
}

export interface NewDestination {
  readonly reference: string
  readonly kind: DestinationKind
  readonly topicUrl: string
  /** @default '' */
  readonly organization?: string
}
