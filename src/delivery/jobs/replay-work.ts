import type { HostHistory } from '../../host/types.ts'
import {
  readBodies,
  readDelivered,
  type DeliveredEvent,
  type DeliveredRange,
} from '../../outbox/delivered-pages.ts'
import type { Job } from '../../outbox/jobs.ts'
import type { OutboxSchema, Queryable } from '../../outbox/schema.ts'
import { topicUrlsOf } from '../../outbox/topic-urls.ts'
import type { TopicDestination } from '../../resources/topic-destination.ts'
import {
  prepared,
  type BatchLimits,
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
    const range = rangeOf(job)
    const found = await readDelivered(db, schema, job.destinationId, range, maxEvents)
    const wanted = found.slice(0, maxEvents)
    const { events, looked } =
      content === 'full-resource'
        ? await this.#withContent(wanted, maxBytes)
        : await this.#withoutContent(wanted)
    const last = wanted[looked - 1]
    const missing = looked - events.length
    return prepared({
      events,
      position: last ? String(last.eventNumber) : job.position,
      passedOver: 0,
      failed: missing,
      ...(missing > 0 && {
        error: 'The content of an event is neither in the log nor in the history.',
      }),
      isLast: last === undefined,
    })
  }

  async #withoutContent(delivered: readonly DeliveredEvent[]): Promise<LookedUp> {
    const toEvent = await this.#eventsOf(delivered)
    return { events: delivered.map((each) => toEvent(each, null)), looked: delivered.length }
  }

  async #withContent(delivered: readonly DeliveredEvent[], maxBytes: number): Promise<LookedUp> {
    const { db, schema } = this.#parts
    const toEvent = await this.#eventsOf(delivered)
    const { bodies, looked } = await readBodies(db, schema, delivered, maxBytes)
    const looking = delivered.slice(0, looked)
    const versions = await this.#fromHistory(looking.filter((each) => !hasContent(each, bodies)))
    const events = looking.flatMap((event) => {
      if (event.interaction === 'delete') return [toEvent(event, null)]
      const body = event.body ?? bodies.get(event.id) ?? versions.get(versionReference(event))
      return body == null ? [] : [toEvent(event, body)]
    })
    return { events, looked }
  }

  async #eventsOf(
    delivered: readonly DeliveredEvent[],
  ): Promise<(event: DeliveredEvent, body: string | null) => JobEvent> {
    const { db, schema } = this.#parts
    const urls = await topicUrlsOf(db, schema, [...new Set(delivered.map((each) => each.topicId))])
    return (event, body) => ({ ...event, topicUrl: urls.get(event.topicId) ?? '', body })
  }

  async #fromHistory(events: readonly DeliveredEvent[]): Promise<ReadonlyMap<string, string>> {
    const { readVersions } = this.#parts
    if (!readVersions || events.length === 0) return new Map()
    const found = await readVersions(events.map(versionReference))
    return new Map([...found].map(([reference, version]) => [reference, JSON.stringify(version)]))
  }
}

function hasContent(event: DeliveredEvent, bodies: ReadonlyMap<string, string | null>): boolean {
  return event.interaction === 'delete' || event.body != null || bodies.get(event.id) != null
}

function versionReference({ resourceType, resourceId, versionId }: DeliveredEvent): string {
  return `${resourceType}/${resourceId}/_history/${versionId ?? ''}`
}

function rangeOf({ selection, position }: Job): DeliveredRange {
  const { fromMs, toMs, toEvent = Number.MAX_SAFE_INTEGER } = selection
  return {
    fromEvent: Number(position) + 1,
    toEvent,
    ...(fromMs !== undefined && { fromMs }),
    ...(toMs !== undefined && { toMs }),
  }
}
