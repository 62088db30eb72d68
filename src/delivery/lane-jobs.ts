import { backoffMs } from '../backoff.ts'
import { isKafkaError } from '../kafka/kafka-error.ts'
import type { KafkaError, PageProducer } from '../kafka/producer.ts'
import { kafkaRecord } from '../notifications/kafka-record.ts'
import type { EventCursor } from '../outbox/event-cursor.ts'
import type { JobPage } from '../outbox/job-page.ts'
import { failJob, noteJobError, readJob, type Job } from '../outbox/jobs.ts'
import type { TopicDestination } from '../resources/topic-destination.ts'
import type { Signal } from '../signal.ts'
import type { Checkpoint } from './checkpoint.ts'
import { logDelivery } from './delivery-log.ts'
import type { LaneParts } from './lane-parts.ts'
import { JobPace } from './jobs/job-pace.ts'
import { JobCannotGoOn, type JobBatch, type JobEvent, type PreparedBatch } from './jobs/job-work.ts'
import { PageLimit } from './page-limit.ts'

/** Live events wait for a page of a job: no rate makes it larger. */
const maxPageEvents = 500

/** A job as this lane does it. */
interface Doing {
  job: Job
  readonly limit: PageLimit
  /** Why Kafka can never take them, by number or reference. */
  readonly refused: Map<string, string>
  preparing: boolean
  batch: PreparedBatch | undefined
  readonly pace: JobPace
  failures: number
}

export type LaneJobsParts = Pick<
  LaneParts,
  | 'db'
  | 'schema'
  | 'destination'
  | 'jobWork'
  | 'baseUrl'
  | 'cloudEventsHeaders'
  | 'maxPageEvents'
  | 'maxPageBytes'
  | 'logger'
>

/** What a page is sent by. */
export interface JobTurn {
  readonly producer: PageProducer
  readonly cursor: EventCursor
  readonly destination: TopicDestination
  readonly checkpoint: Pick<Checkpoint, 'of'>
}

/** The jobs of one destination, between the pages of its lane.
 *
 *  A job's next events are looked up while the lane does something else, then wait for their turn: when the job's rate allows it and the lane has no page
 *  under way. Nothing of a job is remembered but what is looked up anew from its row, so a lane that reads its cursor again forgets what was
 *  prepared: the row may have moved on. */
export class LaneJobs {
  readonly #parts: LaneJobsParts
  readonly #ready: Signal
  readonly #nowMs: () => number
  readonly #doing = new Map<string, Doing>()
  /** What was begun before the last `forget` is dropped. */
  #generation = 0

  /** @param ready raised when there is something to send, or a job has ended
   *  @param nowMs a clock that only rises */
  constructor(parts: LaneJobsParts, ready: Signal, nowMs: () => number = () => performance.now()) {
    this.#parts = parts
    this.#ready = ready
    this.#nowMs = nowMs
  }

  /** Takes the jobs of the destination that are running. */
  put(jobs: readonly Job[]): void {
    const ids = new Set(jobs.map(({ id }) => id))
    for (const id of this.#doing.keys()) if (!ids.has(id)) this.#doing.delete(id)
    let hasNew = false
    for (const job of jobs) {
      if (this.#doing.has(job.id)) continue
      hasNew = true
      this.#doing.set(job.id, {
        job,
        limit: new PageLimit(maxPageEvents),
        refused: new Map(),
        preparing: false,
        batch: undefined,
        pace: new JobPace(this.#nowMs),
        failures: 0,
      })
    }
    if (hasNew) this.#ready.raise()
  }

  get areThere(): boolean {
    return this.#doing.size > 0
  }

  /** Until the next page may be sent; infinite while none is ready. */
  get dueInMs(): number {
    const waits = [...this.#doing.values()].map(({ batch, preparing, pace }) =>
      batch || !preparing ? pace.dueInMs : Number.POSITIVE_INFINITY,
    )
    return Math.min(...waits, Number.POSITIVE_INFINITY)
  }

  /** The rows may have moved on. */
  forget(): void {
    this.#generation++
    for (const doing of this.#doing.values()) {
      doing.batch = undefined
      doing.preparing = false
    }
  }

  /** Begins to look up what is next of each job. Not before the cursor is settled: what Kafka has already would be sent again. */
  prepare(destination: TopicDestination): void {
    for (const doing of this.#doing.values()) {
      const isWaiting = doing.failures > 0 && !doing.pace.isDue
      if (doing.preparing || doing.batch || isWaiting) continue
      doing.preparing = true
      void this.#prepare(doing, destination, this.#generation)
    }
  }

  async #prepare(doing: Doing, destination: TopicDestination, generation: number): Promise<void> {
    const { db, schema, jobWork, maxPageBytes: maxBytes } = this.#parts
    const { id } = doing.job
    const isCurrent = (): boolean =>
      generation === this.#generation && this.#doing.get(id) === doing
    try {
      const job = await readJob(db, schema, id)
      if (!isCurrent()) return
      if (job?.state !== 'running') {
        this.#doing.delete(id)
        return
      }
      doing.job = job
      const maxEvents = this.#pageEvents(doing)
      const batch = await jobWork[job.kind].prepare(job, destination, { maxEvents, maxBytes })
      if (!isCurrent()) return
      doing.batch = batch
      doing.failures = 0
    } catch (error) {
      if (isCurrent()) await this.#afterFailure(doing, error)
    } finally {
      if (isCurrent()) doing.preparing = false
      this.#ready.raise()
    }
  }

  #pageEvents({ job, limit, pace }: Doing): number {
    const atRate = pace.pageEvents(job.maxPerSecond)
    return Math.min(atRate, limit.current, this.#parts.maxPageEvents)
  }

  /** Others go on. */
  async #afterFailure(doing: Doing, error: unknown): Promise<void> {
    const { db, schema, logger } = this.#parts
    const { id, kind } = doing.job
    const told = { destination: this.#parts.destination.reference, job: id, kind }
    doing.batch = undefined
    doing.failures++
    doing.pace.wait(backoffMs(doing.failures))
    const isOver = error instanceof JobCannotGoOn
    if (isOver) logger.warn({ ...told, cause: error.message }, 'a job has failed')
    else logger.warn({ ...told, err: error }, 'a job waits')
    try {
      if (isOver) {
        await failJob(db, schema, id, error.message)
        this.#doing.delete(id)
      } else await noteJobError(db, schema, id, 'The next events cannot be read; will retry.')
    } catch (noted) {
      logger.warn({ ...told, err: noted }, 'cannot write down how a job goes')
    }
  }

  /** Sends the page of one job when it is due; the jobs take turns.
   *  @returns whether Kafka has taken events
   *  @throws {@link KafkaError} and errors of the database: the cursor is to be read again */
  async send(turn: JobTurn): Promise<boolean> {
    const doing = this.#due(turn.cursor)
    if (!doing) return false
    const { batch: preparedBatch, job } = doing
    doing.batch = undefined
    // To the end of the line.
    this.#doing.delete(job.id)
    this.#doing.set(job.id, doing)
    const batch = await this.#take(doing, preparedBatch)
    return batch !== undefined && this.#sendBatch(doing, batch, turn)
  }

  #due(cursor: EventCursor): Doing | undefined {
    return [...this.#doing.values()].find(
      ({ batch, pace, job }) =>
        batch && pace.isDue && (job.kind !== 'backfill' || cursor.freeEventNumber !== undefined),
    )
  }

  async #take(doing: Doing, batch: PreparedBatch | undefined): Promise<JobBatch | undefined> {
    try {
      const taken = await batch?.take()
      if (!taken) doing.pace.wait()
      return taken
    } catch (error) {
      await this.#afterFailure(doing, error)
      return undefined
    }
  }

  async #sendBatch(doing: Doing, batch: JobBatch, turn: JobTurn): Promise<boolean> {
    const { producer, cursor, destination, checkpoint } = turn
    const { job, refused } = doing
    const events = batch.events.filter((event) => !refused.has(nameOf(event)))
    const page = pageOf(doing, batch, events)
    const beganMs = this.#nowMs()
    if (events.length > 0) {
      const first = cursor.freeEventNumber ?? 0
      const numbered = events.map((event, index) => ({
        ...event,
        eventId: event.id,
        eventNumber: event.eventNumber ?? first + index,
        asked: { kind: job.kind, jobId: job.id },
      }))
      const records = numbered.map((event) => kafkaRecord(event, destination, this.#parts))
      if (!(await cursor.jobPages.write(page))) {
        this.#doing.delete(job.id)
        return false
      }
      try {
        await producer.sendPage(records, () =>
          Promise.resolve(checkpoint.of(cursor, events.length)),
        )
      } catch (error) {
        if (isKafkaError(error)) this.#log(destination, numbered, error)
        if (isKafkaError(error) && error.kind === 'poison') learn(doing, error, events)
        throw error
      }
      this.#log(destination, numbered)
    }
    await cursor.jobPages.settle(page)
    doing.limit.widen()
    // What was only looked at counts as well: the host has read it.
    const looked = events.length + page.failed + page.passedOver
    doing.pace.afterPage(looked, job.maxPerSecond, beganMs)
    if (batch.isLast) this.#end(job)
    return events.length > 0
  }

  #log(
    destination: TopicDestination,
    events: readonly { readonly topicUrl: string; readonly eventNumber: number }[],
    failure?: KafkaError,
  ): void {
    const [first, last] = [events[0], events.at(-1)]
    if (!first || !last) return
    logDelivery(this.#parts.logger, destination, {
      topicUrl: first.topicUrl,
      eventNumbers: [first.eventNumber, last.eventNumber],
      ...(failure && { error: failure.message }),
    })
  }

  #end({ id, kind }: Job): void {
    this.#doing.delete(id)
    const { destination, logger } = this.#parts
    logger.info({ destination: destination.reference, job: id, kind }, 'a job has ended')
  }
}

/** Where Kafka names no record, pages shrink until it is alone. */
function learn(doing: Doing, error: KafkaError, events: readonly JobEvent[]): void {
  const indexes = events.length === 1 ? [0] : error.poisonIndexes
  for (const index of indexes) {
    const event = events[index]
    if (event) doing.refused.set(nameOf(event), error.message)
  }
  if (indexes.length === 0) doing.limit.narrow(events.length)
}

function nameOf({ eventNumber, id }: JobEvent): string {
  return eventNumber === undefined ? id : String(eventNumber)
}

function pageOf(doing: Doing, batch: JobBatch, sent: readonly JobEvent[]): JobPage {
  const { job, refused } = doing
  const { position, passedOver, isLast } = batch
  const refusedNow = batch.events.flatMap((event) => {
    const error = refused.get(nameOf(event))
    return error === undefined ? [] : [{ number: event.eventNumber ?? 0, error }]
  })
  const error = refusedNow.at(-1)?.error ?? batch.error
  return {
    jobId: job.id,
    kind: job.kind,
    position,
    sent: sent.length,
    failed: batch.failed + refusedNow.length,
    passedOver,
    ...(error !== undefined && { error }),
    isLast,
    ...(job.kind === 'redrive' && {
      redriven: sent.map(({ eventNumber = 0 }) => eventNumber),
      refused: refusedNow,
    }),
  }
}
