import type { SqlTx } from '../host/types.ts'
import type { OutboxSchema } from '../outbox/schema.ts'
import { topicsWithEvents, type RestingPlace } from '../outbox/topics-with-events.ts'

/** Who waits for events. */
export interface Waiting {
  /** Undefined while it looks itself. */
  readonly restingPlace: RestingPlace | undefined
  wake(): void
}

/** Looks for events that other nodes have written, for all lanes at rest with one statement: each on its own would be thousands of statements
 *  a second where there are thousands of destinations. */
export async function wakeWaiting(
  db: SqlTx,
  schema: OutboxSchema,
  lanes: () => readonly Waiting[],
): Promise<void> {
  const places = lanes().flatMap(({ restingPlace }) => restingPlace ?? [])
  const topicIds = await topicsWithEvents(db, schema, places)
  if (topicIds.size === 0) return
  for (const lane of lanes()) {
    if ([...(lane.restingPlace?.keys() ?? [])].some((id) => topicIds.has(id))) lane.wake()
  }
}
