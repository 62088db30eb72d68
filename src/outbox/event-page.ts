import type { Interaction } from '../host/types.ts'
import type { OutboxSchema, Queryable } from './schema.ts'
import type { Snapshot } from './snapshot.ts'
import { isInStretch, isWholeTopic, type Source } from './sources.ts'

export interface OutboxEvent {
  /** Rises in the order of delivery per resource; unique in the outbox. */
  readonly id: string
  /** Queue of the log that it stands in. */
  readonly topicId: number
  readonly topicUrl: string
  readonly interaction: Interaction
  readonly resourceType: string
  readonly resourceId: string
  readonly versionId?: string
  /** Time of the change: when its transaction began, unless the host said otherwise. */
  readonly at: Date
  readonly correlationId?: string
  readonly traceparent?: string
  readonly body: string | null
}

/** What is to be read: under `snapshot`, after id `after`. */
export interface PageRequest {
  readonly sources: readonly Source[]
  readonly snapshot: Snapshot
  readonly after: bigint
  /** Up to `position`, what `settled` contains was read before. */
  readonly position: bigint
  readonly settled: Snapshot
  readonly maxEvents: number
  readonly maxBytes: number
}

export interface EventPage {
  readonly events: readonly OutboxEvent[]
  /** There may be more under the same snapshot. */
  readonly isCut: boolean
}

/** What the log and the undecided events store of a change. */
export interface ChangeRow {
  readonly id: string
  readonly interaction: string
  readonly resource_type: string
  readonly resource_id: string
  readonly version_id: string | null
  readonly at: Date
}

/** An event with its content, as the log and the dead letters store it. */
export interface EventRow extends ChangeRow {
  readonly correlation_id: string | null
  readonly traceparent: string | null
  readonly body: string | null
}

interface PageRow extends EventRow {
  readonly is_beyond: boolean
}

/** A change as it is shown: without resource content. */
export interface ListedChange {
  readonly interaction: Interaction
  readonly resourceType: string
  readonly resourceId: string
  readonly versionId: string | undefined
  /** Time of the change. */
  readonly at: Date
}

export const interactionsByCode: Readonly<Record<string, Interaction>> = {
  c: 'create',
  u: 'update',
  d: 'delete',
}

/** Reads events of all sources in id order, until `maxEvents` or until their bodies exceed `maxBytes`. A single larger event comes alone. */
export async function readEventPage(
  db: Queryable,
  schema: OutboxSchema,
  request: PageRequest,
): Promise<EventPage> {
  const pages: EventPage[] = []
  for (const source of request.sources) pages.push(await readSource(db, schema, source, request))
  const [first] = pages
  return first && pages.length === 1 ? first : mergePages(pages, request)
}

/** Behind the end of a page that was cut there may be more of its source, so the merged page ends there as well. */
function mergePages(pages: readonly EventPage[], { maxEvents, maxBytes }: PageRequest): EventPage {
  const ends = pages
    .filter(({ isCut }) => isCut)
    .map(({ events }) => BigInt(events.at(-1)?.id ?? 0))
  const inOrder = pages
    .flatMap(({ events }) => events)
    .filter(({ id }) => ends.every((end) => BigInt(id) <= end))
    .toSorted((a, b) => Number(BigInt(a.id) - BigInt(b.id)))
  let bytes = 0
  const fitting = inOrder.findIndex(({ body }, index) => {
    bytes += Buffer.byteLength(body ?? '')
    return index === maxEvents || (index > 0 && bytes > maxBytes)
  })
  return fitting < 0
    ? { events: inOrder, isCut: ends.length > 0 }
    : { events: inOrder.slice(0, fitting), isCut: true }
}

/** The sum of sizes runs over the rows without reading large bodies: `octet_length` of a TOASTed value knows its size. The first
 *  row beyond the limit comes without its body, to tell a cut page from the end. Index: `event_topic_id_id`.
 *
 *  `limit (select …)`: the log is never analysed, so the planner takes a backlog of a million rows for some hundreds. Told a limit above
 *  that, it sorts the whole backlog for each page (5 s); a limit that it does not know makes it walk the index. */
async function readSource(
  db: Queryable,
  schema: OutboxSchema,
  source: Source,
  { snapshot, after, position, settled, maxEvents, maxBytes }: PageRequest,
): Promise<EventPage> {
  const values: unknown[] = [source.topicId, String(after), snapshot.text, maxEvents, maxBytes]
  // Only the stretch that is looked through again needs the comparison with what was read before.
  const isAgain = after < position
  if (isAgain) values.push(String(position), settled.text)
  const isWhole = isWholeTopic(source)
  const first = values.length
  if (!isWhole) {
    const { fromId, joinedMove, fromXid, leftMove, untilXid } = source
    values.push(fromId, joinedMove, fromXid, leftMove, untilXid)
  }
  const { rows } = await db.query<PageRow>(
    `select id, interaction, resource_type, resource_id, version_id, at, correlation_id, traceparent,
            case when is_within then body end as body, not is_within as is_beyond
       from (select *, bytes <= $5 or place = 1 as is_within, bytes - coalesce(octet_length(body), 0) <= $5 as is_reached
               from (select *, sum(coalesce(octet_length(body), 0)) over in_order as bytes, row_number() over in_order as place
                       from ${schema.event} ${isWhole ? '' : `e, (${limits(first)}) s`}
                      where topic_id = $1 and id > $2 and pg_visible_in_snapshot(xid, $3::pg_snapshot)
                        ${isWhole ? '' : `and ${isInStretch}`}
                        ${isAgain ? 'and (id > $6 or not pg_visible_in_snapshot(xid, $7::pg_snapshot))' : ''}
                     window in_order as (order by id rows unbounded preceding)
                      order by id limit (select $4::int)) summed) measured
      where is_reached
      order by id`,
    values,
  )
  const events = rows.filter((row) => !row.is_beyond).map((row) => toEvent(row, source))
  const isOversized = Buffer.byteLength(events[0]?.body ?? '') > maxBytes
  return { events, isCut: rows.length >= maxEvents || events.length < rows.length || isOversized }
}

/** One source as a row; its values begin behind `first`. */
function limits(first: number): string {
  return `select $${first + 1}::bigint as from_id, $${first + 2}::int as joined_move, $${first + 3}::xid8 as from_xid,
            $${first + 4}::int as left_move, $${first + 5}::xid8 as until_xid`
}

export function toEvent(
  row: EventRow,
  { topicId, topicUrl }: Pick<Source, 'topicId' | 'topicUrl'>,
): OutboxEvent {
  const event: { -readonly [Key in keyof OutboxEvent]: OutboxEvent[Key] } = {
    id: row.id,
    topicId,
    topicUrl,
    interaction: interactionsByCode[row.interaction] ?? 'update',
    resourceType: row.resource_type,
    resourceId: row.resource_id,
    at: row.at,
    body: row.body,
  }
  if (row.version_id !== null) event.versionId = row.version_id
  if (row.correlation_id !== null) event.correlationId = row.correlation_id
  if (row.traceparent !== null) event.traceparent = row.traceparent
  return event
}

export function toListedChange(row: Omit<ChangeRow, 'id'>): ListedChange {
  return {
    interaction: interactionsByCode[row.interaction] ?? 'update',
    resourceType: row.resource_type,
    resourceId: row.resource_id,
    versionId: row.version_id ?? undefined,
    at: row.at,
  }
}
