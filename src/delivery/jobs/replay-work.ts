import type { HostHistory } from '../../host/types.ts'
import {
  readBodies,
  readDelivered,
  type DeliveredEvent,
  type DeliveredRange,
} from '../../outbox/delivered-pages.ts'
import type { Job } from '../../outbox/jobs.ts'
import type { OutboxSchema, Queryable } from '../../outbox/schema.ts'
import { sendableTopics } from '../../outbox/sendable-topics.ts'
import type { TopicDestination } from '../../resources/topic-destination.ts'
import {
  prepared,
  type BatchLimits,
  type JobBatch,
  type JobEvent,
  type JobWork,
  type PreparedBatch,
} from './job-work.ts'

export interface ReplayWorkParts {
  readonly db: Queryable
  readonly schema: OutboxSchema
  /** Where content is read that the log does not hold any more: stored versions by reference. */
  readonly readVersions: HostHistory['read'] | undefined
}

/** By the ids of queues. */
type TopicUrls = ReadonlyMap<number, string>

interface LookedUp {
  /** With their content, as far as there is some. */
  readonly events: readonly JobEvent[]
  /** So many of the events that were asked for, from the first on. */
  readonly looked: number
}

/** Sends delivered events again, in the order of their numbers. */
export class ReplayWork implements JobWork {
  readonly #parts: ReplayWorkParts

  constructor(parts: ReplayWorkParts) {
    this.#parts = parts
  }

  async prepare(
    job: Job,
    { content }: TopicDestination,
    { maxEvents, maxBytes }: BatchLimits,
  ): Promise<PreparedBatch> {
    const { db, schema } = this.#parts
    const urls = await sendableTopics(db, schema, job.destinationId)
    const range = { ...rangeOf(job), topicIds: [...urls.keys()] }
    const found = await readDelivered(db, schema, job.destinationId, range, maxEvents)
    const wanted = found.slice(0, maxEvents)
    const { events, looked } =
      content === 'full-resource'
        ? await this.#withContent(wanted, urls, maxBytes)
        : withoutContent(wanted, urls)
    const last = wanted[looked - 1]
    if (!last) return prepared(endOf(job))
    const missing = looked - events.length
    return prepared({
      events,
      position: String(last.eventNumber),
      passedOver: 0,
      failed: missing,
      ...(missing > 0 && {
        error: 'The content of an event is neither in the log nor in the history.',
      }),
      isLast: false,
    })
  }

  async #withContent(
    delivered: readonly DeliveredEvent[],
    urls: TopicUrls,
    maxBytes: number,
  ): Promise<LookedUp> {
    const { db, schema } = this.#parts
    const { bodies, looked } = await readBodies(db, schema, delivered, maxBytes)
    const looking = delivered.slice(0, looked)
    const versions = await this.#fromHistory(looking.filter((each) => !hasContent(each, bodies)))
    const events = looking.flatMap((event) => {
      if (event.interaction === 'delete') return [jobEventOf(event, urls, null)]
      const body = event.body ?? bodies.get(event.id) ?? versions.get(versionReference(event))
      return body == null ? [] : [jobEventOf(event, urls, body)]
    })
    return { events, looked }
  }

  async #fromHistory(events: readonly DeliveredEvent[]): Promise<ReadonlyMap<string, string>> {
    const { readVersions } = this.#parts
    if (!readVersions || events.length === 0) return new Map()
    const found = await readVersions(events.map(versionReference))
    return new Map([...found].map(([reference, version]) => [reference, JSON.stringify(version)]))
  }
}

/** What is not recorded any more has failed. */
function endOf({ position, total = 0, sent, failed }: Job): JobBatch {
  const forgotten = Math.max(0, total - sent - failed)
  return {
    events: [],
    position,
    passedOver: 0,
    failed: forgotten,
    ...(forgotten > 0 && { error: 'The record of delivered events has gone meanwhile.' }),
    isLast: true,
  }
}

function withoutContent(delivered: readonly DeliveredEvent[], urls: TopicUrls): LookedUp {
  return {
    events: delivered.map((each) => jobEventOf(each, urls, null)),
    looked: delivered.length,
  }
}

function jobEventOf(event: DeliveredEvent, urls: TopicUrls, body: string | null): JobEvent {
  return { ...event, topicUrl: urls.get(event.topicId) ?? '', body }
}

function hasContent(event: DeliveredEvent, bodies: ReadonlyMap<string, string | null>): boolean {
  return event.interaction === 'delete' || event.body != null || bodies.get(event.id) != null
}

function versionReference({ resourceType, resourceId, versionId }: DeliveredEvent): string {
  return `${resourceType}/${resourceId}/_history/${versionId ?? ''}`
}

function rangeOf({ selection, position }: Job): Omit<DeliveredRange, 'topicIds'> {
  const { fromMs, toMs, toEvent = Number.MAX_SAFE_INTEGER } = selection
  return {
    fromEvent: Number(position) + 1,
    toEvent,
    ...(fromMs !== undefined && { fromMs }),
    ...(toMs !== undefined && { toMs }),
  }
}
