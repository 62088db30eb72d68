import { readDeadLetters } from '../../outbox/dead-letters.ts'
import type { Job } from '../../outbox/jobs.ts'
import type { OutboxSchema, Queryable } from '../../outbox/schema.ts'
import type { TopicDestination } from '../../resources/topic-destination.ts'
import { prepared, type BatchLimits, type JobWork, type PreparedBatch } from './job-work.ts'

/** Sends dead letters, in the order of their numbers. One that Kafka refuses again stays, with its new error. */
export class RedriveWork implements JobWork {
  readonly #db: Queryable
  readonly #schema: OutboxSchema

  constructor(db: Queryable, schema: OutboxSchema) {
    this.#db = db
    this.#schema = schema
  }

  async prepare(
    job: Job,
    _destination: TopicDestination,
    { maxEvents, maxBytes }: BatchLimits,
  ): Promise<PreparedBatch> {
    const events = await readDeadLetters(this.#db, this.#schema, {
      destinationId: job.destinationId,
      selection: job.selection,
      afterEvent: job.position,
      until: job.createdAt,
      limit: maxEvents,
      maxBytes,
    })
    const last = events.at(-1)
    return prepared({
      events,
      position: last ? String(last.eventNumber) : job.position,
      passedOver: 0,
      failed: 0,
      isLast: events.length === 0,
    })
  }
}
