import type { CursorRow, CursorUpdate } from './cursor-row.ts'
import { recordDeadLetters } from './delivered-pages.ts'
import type { JobKind } from './jobs.ts'
import type { OutboxSchema } from './schema.ts'

/** What a page of a job comes to. */
export interface JobPage {
  readonly jobId: string
  readonly kind: JobKind
  /** Up to here the job is settled with it. */
  readonly position: string
  /** Events in the Kafka transaction. */
  readonly sent: number
  /** Events that Kafka can never take, or whose content is gone. */
  readonly failed: number
  readonly passedOver: number
  /** The newest of what went wrong. */
  readonly error?: string
  /** The job has nothing behind it. */
  readonly isLast: boolean
  /** Of a redrive: numbers of the dead letters that are sent, and of those that stay, with why. */
  readonly redriven?: readonly number[]
  readonly refused?: readonly { readonly number: number; readonly error: string }[]
}

/** Pages of jobs, beside the log, in Kafka transactions of their own between those of the log.
 *
 *  **Exactly once.** The row of the destination says which page of which job the next transaction carries, before it is sent. That is a state of the
 *  row like any other: it has its token, and the checkpoint in the transaction names it.
 *
 *      PostgreSQL  row: token 72, page of job 5 up to event 300
 *      Kafka       commit: events 201 to 300 and "token 72, 100 events"
 *      PostgreSQL  ............................................ crash before `settle`
 *      next leader                          row: token 72, and so is the checkpoint: settles the page of job 5, sends nothing
 *
 *  One UPDATE settles it: the position of the job, what became of the dead letters, and the row. A page whose transaction was not committed is dropped
 *  from the row before anything else is sent: a checkpoint behind it must not be taken for the page's. */
export class JobPages {
  readonly #row: CursorRow
  readonly #schema: OutboxSchema
  readonly #onNumbersGiven: (count: number) => void
  #page: JobPage | undefined

  /** @param onNumbersGiven the next so many numbers are taken */
  constructor(row: CursorRow, schema: OutboxSchema, onNumbersGiven: (count: number) => void) {
    this.#row = row
    this.#onNumbersGiven = onNumbersGiven
    this.#schema = schema
    this.#page = row.initial.jobPage ?? undefined
  }

  /** Written down and not settled. */
  get open(): JobPage | undefined {
    return this.#page
  }

  /** Before its transaction is committed. The job is locked behind the row: who has ended it sees no page, or is seen here.
   *  @returns false when the job is not running any more: nothing of the page must be sent */
  async write(page: JobPage): Promise<boolean> {
    const { isRunning } = await this.#row.update<{ isRunning: boolean }>({
      assignments: 'job_page = $5::jsonb',
      values: [JSON.stringify(page), page.jobId],
      complete: (update) => `with d as (${update} returning d.id),
        asked as (select j.state from ${this.#schema.job} j join d on d.id = j.destination_id where j.id = $6 for share of j)
        select coalesce((select state = 'running' from asked), false) as "isRunning" from d`,
    })
    this.#page = page
    if (!isRunning) await this.drop()
    return isRunning
  }

  /** Its transaction was not committed, and never will be. */
  async drop(): Promise<void> {
    if (!this.#page) return
    await this.#row.update({ assignments: 'job_page = null', values: [] })
    this.#page = undefined
  }

  /** The page is in Kafka, or there is nothing of it to send. Events of a backfill take the next numbers with it.
   *  @returns how many events it has */
  async settle(page: JobPage): Promise<number> {
    await this.#row.update(this.#settlement(page))
    this.#page = undefined
    if (page.kind === 'backfill') this.#onNumbersGiven(page.sent)
    return page.sent
  }

  #settlement(page: JobPage): CursorUpdate {
    const { jobId, kind, position, sent, failed, passedOver, error, isLast } = page
    const { job } = this.#schema
    const isRedrive = kind === 'redrive'
    return {
      assignments: `job_page = null, touched_at = clock_timestamp()${counted[kind]}`,
      values: [
        sent,
        jobId,
        position,
        failed,
        passedOver,
        error ?? null,
        isLast,
        ...(isRedrive ? [page.redriven ?? [], JSON.stringify(page.refused ?? [])] : []),
      ],
      complete: (update) => `with d as (${update} returning d.id),
        told as (
          update ${job} j
             set sent = j.sent + $5::bigint, position = $7, failed = j.failed + $8, passed_over = j.passed_over + $9, error = coalesce($10, j.error),
                 state = case when $11 and j.state = 'running' then 'done' else j.state end,
                 ended_at = case when $11 and j.state = 'running' then clock_timestamp() else j.ended_at end
            from d where j.id = $6)
        ${isRedrive ? this.#redriven() : ''}
        select 1 from d`,
    }
  }

  #redriven(): string {
    const { deadLetter } = this.#schema
    return `,
      gone as (
        delete from ${deadLetter} l using d where l.destination_id = d.id and l.event_no = any ($12::bigint[]) returning l.*),
      refused as (
        update ${deadLetter} l set error = r.error, failed_at = clock_timestamp()
          from d, jsonb_to_recordset($13::jsonb) as r (number bigint, error text)
         where l.destination_id = d.id and l.event_no = r.number)
      ${this.#row.keepsDelivered ? `, recorded as (${recordDeadLetters(this.#schema, 'gone')})` : ''}`
  }
}

/** SQL of the counters that `$5` events of a job are delivered. What was replayed is counted already. */
const counted: Readonly<Record<JobKind, string>> = {
  redrive: ', delivered = delivered + $5::bigint, dead = dead - $5::bigint',
  replay: '',
  backfill: ', backfilled = backfilled + $5::bigint, event_no = event_no + $5::bigint',
}
