import type { DestinationRow } from '../outbox/destination-row.ts'
import type { TopicDestination } from '../resources/topic-destination.ts'

/** A destination as this node serves it. */
export interface RegisteredDestination {
  readonly row: DestinationRow
  /** Absent when the stored resource cannot be used here. */
  readonly destination: TopicDestination | undefined
  /** Why it cannot be used; beside a destination: why its secrets are those of before. */
  readonly fault: string | undefined
}
