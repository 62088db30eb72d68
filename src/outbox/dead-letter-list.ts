import { isMeant } from './dead-letters.ts'
import { toListedChange, type ChangeRow, type ListedChange } from './event-page.ts'
import type { JobSelection } from './jobs.ts'
import type { OutboxSchema, Queryable } from './schema.ts'

/** A dead letter as it is shown: without resource content. */
export interface ListedDeadLetter extends ListedChange {
  readonly eventNumber: number
  readonly topicUrl: string
  /** Reference of the organization whose events the queue is limited to; '' for all. */
  readonly organization: string
  readonly failedAt: Date
  readonly correlationId: string | undefined
  /** Why Kafka can never take it. */
  readonly error: string
}

interface Row extends Omit<ChangeRow, 'id'> {
  readonly event_no: string
  readonly url: string
  readonly organization: string
  readonly failed_at: Date
  readonly correlation_id: string | null
  readonly error: string
}

export interface DeadLetterList {
  readonly beforeEvent: number | undefined
  readonly limit: number
  /** @default all */
  readonly selection?: JobSelection
}

/** A page of the dead letters of a destination, the newest number first, below `beforeEvent`. Index: the primary key. */
export async function listDeadLetters(
  db: Queryable,
  schema: OutboxSchema,
  reference: string,
  { beforeEvent, limit, selection = {} }: DeadLetterList,
): Promise<readonly ListedDeadLetter[]> {
  const { rows } = await db.query<Row>(
    `select l.event_no, t.url, t.organization, l.interaction, l.resource_type, l.resource_id, l.version_id, l.at, l.failed_at, l.correlation_id, l.error
       from ${schema.destination} d join ${schema.deadLetter} l on l.destination_id = d.id join ${schema.topic} t on t.id = l.topic_id
      where d.reference = $1 and ($2::bigint is null or l.event_no < $2::bigint) and ${isMeant('$4')}
      order by l.event_no desc limit $3`,
    [reference, beforeEvent ?? null, limit, JSON.stringify(selection)],
  )
  return rows.map((row) => ({
    ...toListedChange(row),
    eventNumber: Number(row.event_no),
    topicUrl: row.url,
    organization: row.organization,
    failedAt: row.failed_at,
    correlationId: row.correlation_id ?? undefined,
    error: row.error,
  }))
}
