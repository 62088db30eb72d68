import { randomInt } from 'node:crypto'
import { TopicDestinationError } from '../errors.ts'
import { becomeDeadLetter } from './dead-letters.ts'
import { pageValues, recordPage, type DeliveredRetention } from './delivered-pages.ts'
import { prependError } from './error-list.ts'
import type { OutboxEvent } from './event-page.ts'
import type { JobPage } from './job-page.ts'
import type { OutboxSchema, Queryable } from './schema.ts'
import { sourceJson, type Source } from './sources.ts'

/** SQL: whether the row of the destination `d` says that the event `e` is settled. */
export const isSettled = `((e.id <= d.pos and pg_visible_in_snapshot(e.xid, d.snap))
  or (d.round_pos is not null and e.id <= d.round_pos and pg_visible_in_snapshot(e.xid, d.round_snap)))`

/** What the row said when it was read. */
export interface CursorState {
  readonly sources: readonly Source[]
  readonly low: bigint
  readonly position: bigint
  /** Text of a snapshot. */
  readonly settled: string
  readonly roundSnapshot: string | null
  readonly roundPosition: bigint
  readonly eventNumber: number
  /** No leader has been connected to Kafka yet. */
  readonly isUntried: boolean
  /** Kafka topic on which checkpoints stand; null before the first. */
  readonly checkpointTopic: string | null
  /** Page of a job that was about to be sent; null: none. */
  readonly jobPage: JobPage | null
}

interface Columns {
  readonly sources: readonly Source[]
  readonly source_version: number
  readonly low: string
  readonly pos: string
  readonly snap: string
  readonly round_snap: string | null
  readonly round_pos: string | null
  readonly token: string
  readonly event_no: string
  readonly is_untried: boolean
  readonly checkpoint_topic: string | null
  readonly job_page: JobPage | null
}

/** The destination reads other sources since the cursor was loaded. Load it again: nothing is lost, nothing was counted twice. */
export class SourcesChanged extends Error {
  constructor(destinationId: number) {
    super(`the sources of destination ${destinationId} have changed`)
  }
}

/** What an update of the position answers. */
export interface WrittenPosition {
  readonly round_snap: string | null
  /** Last drawn id of an event before `xid`, the update's own transaction, was assigned. */
  readonly last_id: string
  readonly xid: string
}

interface RowUpdate {
  /** SQL; may use `$5` upwards. */
  readonly assignments: string
  /** Of `$5` upwards. */
  readonly values: readonly unknown[]
  /** What is settled is said of the sources the cursor knows; others may have been added. The update must not happen then.
   *  @default false */
  readonly onlyAtSources?: boolean
}

/** Of the row alone, and of what is recorded beside it. */
interface PlainUpdate extends RowUpdate {
  /** A query that is run before the update and can be used in it as `head`.
   *  @default none */
  readonly head?: string
  /** SQL of what is answered, of `d` and `head`.
   *  @default '1 as updated' */
  readonly returning?: string
  /** Events that the update settles as delivered, to be recorded where that is wanted. Numbered up to its `event_no`.
   *  @default none */
  readonly delivered?: readonly OutboxEvent[]
  readonly complete?: undefined
}

/** Goes with other writes in one statement; nothing is recorded beside it. */
interface CompletedUpdate extends RowUpdate {
  /** Makes the statement of the update itself, whose columns are those of `d`; what it returns first is the answer. */
  readonly complete: (update: string) => string
}

export type CursorUpdate = PlainUpdate | CompletedUpdate

/** The row of one destination, for the one who leads it under one epoch.
 *
 *  Every update names the epoch (one per leadership) and the token, and writes a new token: zero rows mean that somebody else has
 *  changed the row. */
export class CursorRow {
  readonly initial: CursorState
  readonly #db: Queryable
  readonly #schema: OutboxSchema
  readonly #destinationId: number
  readonly #epoch: number
  readonly #sourceVersion: number
  readonly #retention: DeliveredRetention | undefined
  #token: number

  private constructor(
    db: Queryable,
    schema: OutboxSchema,
    destinationId: number,
    epoch: number,
    retention: DeliveredRetention | undefined,
    columns: Columns,
  ) {
    this.#db = db
    this.#schema = schema
    this.#destinationId = destinationId
    this.#epoch = epoch
    this.#retention = retention
    this.#sourceVersion = columns.source_version
    this.#token = Number(columns.token)
    this.initial = {
      sources: columns.sources,
      low: BigInt(columns.low),
      position: BigInt(columns.pos),
      settled: columns.snap,
      roundSnapshot: columns.round_snap,
      roundPosition: BigInt(columns.round_pos ?? 0),
      eventNumber: Number(columns.event_no),
      isUntried: columns.is_untried,
      checkpointTopic: columns.checkpoint_topic,
      jobPage: columns.job_page,
    }
  }

  /** @throws TopicDestinationError `KTD_FENCED` when the destination is gone or led under another epoch */
  static async read(
    db: Queryable,
    schema: OutboxSchema,
    destinationId: number,
    epoch: number,
    retention?: DeliveredRetention,
  ): Promise<CursorRow> {
    const { rows } = await db.query<Columns>(
      `select low, pos, snap::text, round_snap::text, round_pos, token, event_no, source_version, exactly_once is null as is_untried, checkpoint_topic, job_page,
              (select coalesce(json_agg(${sourceJson} order by s.id), '[]')
                 from ${schema.source} s join ${schema.topic} t on t.id = s.topic_id where s.destination_id = d.id) as sources
         from ${schema.destination} d where id = $1 and epoch = $2`,
      [destinationId, epoch],
    )
    const [columns] = rows
    if (!columns) throw fenced(destinationId)
    return new CursorRow(db, schema, destinationId, epoch, retention, columns)
  }

  get token(): number {
    return this.#token
  }

  /** Whether it is recorded what is delivered. */
  get keepsDelivered(): boolean {
    return this.#retention !== undefined
  }

  /** @throws TopicDestinationError `KTD_FENCED`
   *  @throws {@link SourcesChanged} and changes nothing */
  async update<Row>(update: CursorUpdate): Promise<Row> {
    const token = 2 ** 31 + randomInt(2 ** 31)
    const { text, values } = this.#statement(update)
    const { rows } = await this.#db.query<Row>(text, [
      this.#destinationId,
      this.#epoch,
      this.#token,
      token,
      ...values,
    ])
    const [row] = rows
    if (!row) throw await this.#refusal()
    this.#token = token
    return row
  }

  #statement(update: CursorUpdate): { text: string; values: readonly unknown[] } {
    const { values } = update
    if (update.complete) return { text: update.complete(this.#text(update)), values }
    const { head, returning = '1 as updated' } = update
    const text = this.#text(update, head === undefined ? '' : 'from head')
    const before = head === undefined ? [] : [`head as materialized (${head})`]
    if (!this.#retention || !update.delivered) {
      const withHead = before.length > 0 ? `with ${before.join()} ` : ''
      return { text: `${withHead}${text} returning ${returning}`, values }
    }
    const first = values.length + 5
    const [count, firstId, events] = [`$${first}`, `$${first + 1}`, `$${first + 2}`]
    const ctes = [
      ...before,
      `settled as (${text} returning d.id, d.event_no, ${returning})`,
      `recorded as (${recordPage(this.#schema, 'settled', { count, firstId, events })})`,
    ]
    return {
      text: `with ${ctes.join(', ')} select * from settled`,
      values: [
        ...values,
        update.delivered.length,
        ...pageValues(update.delivered, this.#retention),
      ],
    }
  }

  #text({ assignments, onlyAtSources = false }: RowUpdate, from = ''): string {
    return `update ${this.#schema.destination} d set token = $4, ${assignments} ${from}
      where d.id = $1 and d.epoch = $2 and d.token = $3${onlyAtSources ? ` and d.source_version = ${this.#sourceVersion}` : ''}`
  }

  /** Puts an event behind the cursor, as a dead letter. */
  async deadLetter({ id, topicId }: OutboxEvent, error: string): Promise<void> {
    await this.update({
      assignments:
        'round_pos = $5, dead = dead + 1, event_no = event_no + 1, in_process = 0, touched_at = clock_timestamp()',
      values: [id, error, topicId],
      complete: (update) => becomeDeadLetter(this.#schema, update, ['$5', '$6', '$7']),
    })
  }

  /** Why an update found no row. */
  async #refusal(): Promise<Error> {
    const { rows } = await this.#db.query<{ source_version: number }>(
      `select source_version from ${this.#schema.destination} where id = $1 and epoch = $2 and token = $3`,
      [this.#destinationId, this.#epoch, this.#token],
    )
    const [row] = rows
    return row && row.source_version !== this.#sourceVersion
      ? new SourcesChanged(this.#destinationId)
      : fenced(this.#destinationId)
  }

  /** Keeps whether Kafka holds checkpoints of this destination, why not, and on which Kafka topic. */
  async recordCheckpoints(areKept: boolean, reason?: string, kafkaTopic?: string): Promise<void> {
    await this.#updateNotes(
      'exactly_once = $3, note = $4, checkpoint_topic = coalesce($5, checkpoint_topic)',
      [areKept, reason ?? null, kafkaTopic ?? null],
    )
  }

  /** Counts failed attempts and keeps the error; the cursor, and so the token, stays as it is. */
  async recordFailure(failedCount: number, error: string): Promise<void> {
    await this.#updateNotes(
      `failed_attempts = failed_attempts + $3, in_process = 0, touched_at = clock_timestamp(),
       last_errors = ${prependError('last_errors', '$4::text', 'clock_timestamp()')}`,
      [failedCount, error],
    )
  }

  /** Nothing is on its way to Kafka. */
  async recordPause(): Promise<void> {
    await this.#updateNotes('in_process = 0', [])
  }

  /** What is told in $status and moves no cursor: the token stays. */
  async #updateNotes(assignments: string, values: readonly unknown[]): Promise<void> {
    const { rowCount } = await this.#db.query(
      `update ${this.#schema.destination} set ${assignments} where id = $1 and epoch = $2`,
      [this.#destinationId, this.#epoch, ...values],
    )
    if (rowCount !== 1) throw fenced(this.#destinationId)
  }
}

/** SQL of an update: so many more events are delivered. Both are SQL, too. */
export function settle(count: string, inProcess = '0'): string {
  return `delivered = delivered + ${count}, event_no = event_no + ${count}, in_process = ${inProcess}, touched_at = clock_timestamp()`
}

/** Most events behind one state of the row that a checkpoint can tell. */
const checkpointUnit = 2 ** 20

/** One number for a state of the row and a count of events behind it, exact as a JavaScript number: token * 2^20 + count < 2^52. */
export function checkpointOf(token: number, eventCount: number): number {
  if (!(eventCount >= 1 && eventCount < checkpointUnit)) throw new RangeError('no such count')
  return token * checkpointUnit + eventCount
}

/** How many events the checkpoint says are behind this state; 0 when it is about another one. */
export function eventsBehind(token: number, checkpoint: number): number {
  return Math.floor(checkpoint / checkpointUnit) === token ? checkpoint % checkpointUnit : 0
}

function fenced(destinationId: number): TopicDestinationError {
  return new TopicDestinationError(
    'KTD_FENCED',
    `destination ${destinationId} is gone, changed, or led by another node`,
  )
}
