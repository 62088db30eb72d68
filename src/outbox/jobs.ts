import type { OutboxSchema, Queryable } from './schema.ts'

/** What an operator can have done for an at-least-once destination, in the background.
 *  - `redrive`: sends dead letters, under their own numbers.
 *  - `replay`: sends delivered events again, under their own numbers.
 *  - `backfill`: sends the current state of resources, under new numbers. */
export const jobKinds = ['redrive', 'replay', 'backfill'] as const
export type JobKind = (typeof jobKinds)[number]

export type JobState = 'running' | 'done' | 'cancelled' | 'failed'

/** What a job is about; each kind knows its own. Event numbers and times are inclusive. */
export interface JobSelection {
  readonly fromEvent?: number
  readonly toEvent?: number
  /** Milliseconds since 1970, of the time of the change. */
  readonly fromMs?: number
  readonly toMs?: number
  /** Part of the error, in letters of any case. */
  readonly error?: string
  /** Of a backfill: the topic that it was asked for. */
  readonly topicUrl?: string
}

export interface Job {
  readonly id: string
  readonly destinationId: number
  readonly kind: JobKind
  readonly state: JobState
  readonly selection: JobSelection
  readonly maxPerSecond: number
  /** Up to here it is settled: an event number; of a backfill a reference. */
  readonly position: string
  /** How many events or resources it is about; undefined where nobody has counted them. */
  readonly total: number | undefined
  readonly sent: number
  /** Refused by Kafka, or without content. */
  readonly failed: number
  /** Looked at and not selected, or on its way as an event of the log. */
  readonly passedOver: number
  /** The newest of what went wrong. */
  readonly error: string | undefined
  readonly createdAt: Date
  readonly endedAt: Date | undefined
}

interface JobRow {
  readonly id: string
  readonly destination_id: number
  readonly kind: JobKind
  readonly state: JobState
  readonly selection: JobSelection
  readonly max_per_second: number
  readonly position: string
  readonly total: string | null
  readonly sent: string
  readonly failed: string
  readonly passed_over: string
  readonly error: string | null
  readonly created_at: Date
  readonly ended_at: Date | null
}

export type NewJob = Pick<
  Job,
  'destinationId' | 'kind' | 'selection' | 'maxPerSecond' | 'position' | 'total'
>

/** Writes a job down.
 *  @returns undefined when one of the same kind is running for the destination, or there is no such destination */
export async function createJob(
  db: Queryable,
  schema: OutboxSchema,
  job: NewJob,
): Promise<Job | undefined> {
  const { rows } = await db.query<JobRow>(
    `with held as materialized (select id from ${schema.destination} where id = $1 for key share)
     insert into ${schema.job} (destination_id, kind, selection, max_per_second, position, total)
     select id, $2, $3::jsonb, $4, $5, $6 from held
     on conflict (destination_id, kind) where state = 'running' do nothing returning *`,
    [
      job.destinationId,
      job.kind,
      JSON.stringify(job.selection),
      job.maxPerSecond,
      job.position,
      job.total ?? null,
    ],
  )
  const [row] = rows
  return row && toJob(row)
}

/** All running jobs. Index: `job_running`. */
export async function listRunningJobs(
  db: Queryable,
  schema: OutboxSchema,
): Promise<readonly Job[]> {
  const { rows } = await db.query<JobRow>(
    `select * from ${schema.job} where state = 'running' order by id`,
  )
  return rows.map(toJob)
}

export async function readJob(
  db: Queryable,
  schema: OutboxSchema,
  id: string,
): Promise<Job | undefined> {
  const { rows } = await db.query<JobRow>(`select * from ${schema.job} where id = $1`, [id])
  const [row] = rows
  return row && toJob(row)
}

/** The newest job of each kind of a destination, the newest first. Index: `job_destination_id`. */
export async function newestJobs(
  db: Queryable,
  schema: OutboxSchema,
  reference: string,
): Promise<readonly Job[]> {
  const { rows } = await db.query<JobRow>(
    `select j.* from ${schema.destination} d, unnest($2::text[]) k (kind),
            lateral (select * from ${schema.job} where destination_id = d.id and kind = k.kind order by id desc limit 1) j
      where d.reference = $1 order by j.id desc`,
    [reference, jobKinds],
  )
  return rows.map(toJob)
}

/** How the newest job of a kind of a destination does. */
export type JobFigures = Pick<
  Job,
  'destinationId' | 'kind' | 'state' | 'sent' | 'failed' | 'passedOver'
>

/** The newest job of each kind of all destinations. Index: `job_destination_id`. */
export async function newestJobFigures(
  db: Queryable,
  schema: OutboxSchema,
): Promise<readonly JobFigures[]> {
  const { rows } = await db.query<JobRow>(
    `select distinct on (destination_id, kind) * from ${schema.job} order by destination_id, kind, id desc`,
  )
  return rows.map(toJob)
}

/** Ends running jobs of a destination; the page under way is still settled.
 *  @param id of the one that is meant; absent: all
 *  @returns those that were running */
export async function cancelJobs(
  db: Queryable,
  schema: OutboxSchema,
  destinationId: number,
  id?: string,
): Promise<readonly Job[]> {
  const { rows } = await db.query<JobRow>(
    `update ${schema.job} set state = 'cancelled', ended_at = clock_timestamp()
      where destination_id = $1 and state = 'running' and id = coalesce($2::bigint, id) returning *`,
    [destinationId, id ?? null],
  )
  return rows.map(toJob)
}

/** Keeps why a job does not get on, for `$status`; undefined: what was kept does not hold any more. */
export async function noteJobError(
  db: Queryable,
  schema: OutboxSchema,
  id: string,
  error: string | undefined,
): Promise<void> {
  await db.query(`update ${schema.job} set error = $2 where id = $1`, [id, error ?? null])
}

/** Ends a job that cannot go on. */
export async function failJob(
  db: Queryable,
  schema: OutboxSchema,
  id: string,
  error: string,
): Promise<void> {
  await db.query(
    `update ${schema.job} set state = 'failed', error = $2, ended_at = clock_timestamp() where id = $1 and state = 'running'`,
    [id, error],
  )
}

const keptJobs = 20

/** Forgets old jobs: of each kind and destination the newest are kept. */
export async function forgetJobs(db: Queryable, schema: OutboxSchema): Promise<void> {
  await db.query(
    `delete from ${schema.job} j using (
       select id, row_number() over (partition by destination_id, kind order by id desc) as place from ${schema.job}) o
      where o.id = j.id and o.place > ${keptJobs} and j.state <> 'running'`,
  )
}

function toJob(row: JobRow): Job {
  return {
    id: row.id,
    destinationId: row.destination_id,
    kind: row.kind,
    state: row.state,
    selection: row.selection,
    maxPerSecond: row.max_per_second,
    position: row.position,
    total: row.total === null ? undefined : Number(row.total),
    sent: Number(row.sent),
    failed: Number(row.failed),
    passedOver: Number(row.passed_over),
    error: row.error ?? undefined,
    createdAt: row.created_at,
    endedAt: row.ended_at ?? undefined,
  }
}
