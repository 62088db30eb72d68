import type { FhirResource, Interaction, SqlTx } from '../host/types.ts'
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

/** An event that is set aside because nobody could decide whether it is one. */
export interface NewUndecidedEvent extends NewEvent {
  /** One sentence, without resource content. */
  readonly error: string
  /** The version before the change; absent where there was none, or where it is not known. */
  readonly previous?: FhirResource
  /** Names the criteria that could not be decided. Default: '', which is decided again at once. */
  readonly criteria?: string
  /** Time until it is decided again though the criteria stay the same, in milliseconds. Default: never. */
  readonly retryInMs?: number
}

const maxRowsPerStatement = 500

export const eventColumns =
  'topic_id, interaction, resource_type, resource_id, version_id, correlation_id, traceparent, body, at'
const eventColumnCount = 9

/** SQL of a value of a column, made of its placeholder. */
type Places = Readonly<Record<number, (placeholder: string) => string>>

const eventPlaces: Places = { 8: (at) => `coalesce(${at}::timestamptz,now())` }
const undecidedColumns = `${eventColumns}, error, previous, criteria, next_attempt_at`
const undecidedColumnCount = eventColumnCount + 4
const undecidedPlaces: Places = {
  ...eventPlaces,
  12: (ms) => `clock_timestamp() + ${ms}::float8 * interval '1 ms'`,
}

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

/** Sets events aside whose criteria could not be decided, in the caller's transaction. */
export async function parkUndecidedEvents(
  tx: SqlTx,
  schema: OutboxSchema,
  events: readonly NewUndecidedEvent[],
): Promise<void> {
  for (let start = 0; start < events.length; start += maxRowsPerStatement) {
    const chunk = events.slice(start, start + maxRowsPerStatement)
    const values = rows(chunk.length, undecidedColumnCount, undecidedPlaces)
    await tx.query(
      `insert into ${schema.undecidedEvent} (${undecidedColumns}) values ${values}`,
      chunk.flatMap((event) => [
        ...columnsOf(event),
        event.error,
        event.previous === undefined ? null : JSON.stringify(event.previous),
        event.criteria ?? '',
        event.retryInMs ?? null,
      ]),
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
    `insert into ${schema.event} (${eventColumns}, known_moves) values ${rows(rowCount, eventColumnCount + 1, eventPlaces)}`)
}

/** `($1,$2),($3,$4)` for two rows of two columns. */
function rows(rowCount: number, columnCount: number, places: Places): string {
  return Array.from({ length: rowCount }, (_row, row) => {
    const first = row * columnCount + 1
    const values = Array.from({ length: columnCount }, (_column, column) => {
      const placeholder = `$${first + column}`
      return places[column]?.(placeholder) ?? placeholder
    })
    return `(${values.join(',')})`
  }).join(',')
}
