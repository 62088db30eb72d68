import type { OutboxEvent } from '../../outbox/event-page.ts'
import type { Job } from '../../outbox/jobs.ts'
import type { TopicDestination } from '../../resources/topic-destination.ts'

/** An event that a job sends; without a number it gets the next one. */
export interface JobEvent extends OutboxEvent {
  readonly eventNumber?: number
}

/** The next events of a job. */
export interface JobBatch {
  readonly events: readonly JobEvent[]
  /** Up to here the job is settled with them. */
  readonly position: string
  readonly passedOver: number
  /** Events that cannot be sent, and the newest reason. */
  readonly failed: number
  readonly error?: string
  /** There is nothing behind them. */
  readonly isLast: boolean
}

/** A batch that was looked up while the lane did something else. */
export interface PreparedBatch {
  /** Called in the lane's turn, right before the events are sent.
   *  @returns undefined when events of the log have to go first */
  take(): Promise<JobBatch | undefined>
}

/** Bounds of a batch. */
export interface BatchLimits {
  readonly maxEvents: number
  readonly maxBytes: number
}

/** How the events of one kind of job are found. */
export interface JobWork {
  /** @param job as it stands now, settled up to its position
   *  @throws {@link JobCannotGoOn} */
  prepare(job: Job, destination: TopicDestination, limits: BatchLimits): Promise<PreparedBatch>
}

/** The job ends as failed; its message is shown in $status. */
export class JobCannotGoOn extends Error {}

/** A batch that does not change until its turn. */
export function prepared(batch: JobBatch): PreparedBatch {
  return { take: () => Promise.resolve(batch) }
}
