import type { Interaction, SqlTx } from '../host/types.ts'
import type { OutboxSchema } from './schema.ts'

/** One change for one topic, whatever the number of its destinations. */
export interface NewEvent {
  readonly topicId: number
  readonly interaction: Interaction
  readonly resourceType: string
  readonly resourceId: string
  readonly versionId?: string
  readonly correlationId?: string
  readonly traceparent?: string
  /** JSON text of the resource as it will be sent; null on delete. */
  readonly body: string | null
  /** Time of the change. Default: when its transaction began. */
  readonly at?: Date
  /** Moves of destinations that this node knows of and others may not (src/outbox/sources.ts). */
  readonly knownMoves?: readonly number[]
}

const maxRowsPerStatement = 500

const eventColumns =
  'topic_id, interaction, resource_type, resource_id, version_id, correlation_id, traceparent, body, at'
const eventColumnCount = 9
const atColumn = 8

/** Writes the events in the caller's transaction, in the given order: up to 500 in one statement.
 *
 *  Call it as the last statement before COMMIT. Readers deliver in id order, so an id must be drawn after the resource's row lock:
 *  then two changes of one resource have ids in the order of their commits. Late ids also keep the span of ids short
 *  that readers have to look through again for late commits. */
export async function enqueueEvents(
  tx: SqlTx,
  schema: OutboxSchema,
  events: readonly NewEvent[],
): Promise<void> {
  for (let start = 0; start < events.length; start += maxRowsPerStatement) {
    const chunk = events.slice(start, start + maxRowsPerStatement)
    await tx.query(
      insertText(schema, chunk.length),
      chunk.flatMap((event) => [...columnsOf(event), event.knownMoves ?? null]),
    )
  }
}

/** Sets events aside whose criteria could not be decided, in the caller's transaction. `error` must not hold resource content. */
export async function parkUndecidedEvents(
  tx: SqlTx,
  schema: OutboxSchema,
  events: readonly (NewEvent & { readonly error: string })[],
): Promise<void> {
  for (let start = 0; start < events.length; start += maxRowsPerStatement) {
    const chunk = events.slice(start, start + maxRowsPerStatement)
    const text = `insert into ${schema.undecidedEvent} (${eventColumns}, error) values ${rows(chunk.length, eventColumnCount + 1)}`
    await tx.query(
      text,
      chunk.flatMap((event) => [...columnsOf(event), event.error]),
    )
  }
}

/** One letter of the `"char"` column `interaction`. */
export const interactionCodes: Readonly<Record<Interaction, string>> = {
  create: 'c',
  update: 'u',
  delete: 'd',
}

function columnsOf(event: NewEvent): unknown[] {
  return [
    event.topicId,
    interactionCodes[event.interaction],
    event.resourceType,
    event.resourceId,
    event.versionId ?? null,
    event.correlationId ?? null,
    event.traceparent ?? null,
    event.body,
    event.at ?? null,
  ]
}

/** Texts by row count: this is the write path of the host, and most transactions have one row. */
const insertTexts = new WeakMap<OutboxSchema, string[]>()

function insertText(schema: OutboxSchema, rowCount: number): string {
  let texts = insertTexts.get(schema)
  if (!texts) insertTexts.set(schema, (texts = []))
  return (texts[rowCount] ??=
    `insert into ${schema.event} (${eventColumns}, known_moves) values ${rows(rowCount, eventColumnCount + 1)}`)
}

/** `($1,$2),($3,$4)` for two rows of two columns; the time is now unless it is given. */
function rows(rowCount: number, columnCount: number): string {
  const place = (index: number, column: number): string =>
    column === atColumn ? `coalesce($${index}::timestamptz,now())` : `$${index}`
  return Array.from({ length: rowCount }, (_row, row) => {
    const first = row * columnCount + 1
    const places = Array.from({ length: columnCount }, (_column, column) =>
      place(first + column, column),
    )
    return `(${places.join(',')})`
  }).join(',')
}
