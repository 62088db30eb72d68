import type { Change, FhirHost, FhirResource } from '../../host/types.ts'
import type { Job } from '../../outbox/jobs.ts'
import type { TopicDestination } from '../../resources/topic-destination.ts'
import { typesOf, type SubscriptionTopic } from '../../triggers/subscription-topic.ts'
import type { Audience } from '../audiences.ts'
import { isOwnType } from '../own-types.ts'
import type { Registry } from '../registry.ts'
import { restOf } from '../resting-topics.ts'
import { selectEvents } from '../select-events.ts'
import { TopicSelections } from '../topic-selections.ts'
import {
  JobCannotGoOn,
  type BatchLimits,
  type JobBatch,
  type JobEvent,
  type JobWork,
  type PreparedBatch,
} from './job-work.ts'

export interface BackfillWorkParts {
  readonly host: Pick<FhirHost, 'read' | 'references'>
  readonly registry: Pick<Registry, 'destinations' | 'topicByUrl' | 'audiences'>
  /** Versions that wait in the queue of a destination, by reference; undefined: too many. */
  readonly queuedVersions: (destinationId: number) => Promise<QueuedVersions | undefined>
}

type QueuedVersions = ReadonlyMap<string, ReadonlySet<string | null>>

/** What is known of one resource. */
interface Decision {
  readonly versionId: string | undefined
  readonly event: JobEvent | undefined
  /** Why it is undecided. */
  readonly error: string | undefined
}

/** Sends the current state of every resource that a topic selects.
 *
 *  **Never back in time.** A resource is decided while the lane does something else, but read again in the lane's turn, right before it is sent, and
 *  decided again when it has changed. What the lane has delivered until then was committed, so the state that is read then is at least as new;
 *  what is committed later is delivered later. What was committed before and still waits in the queue must go first: a resource of which only
 *  other versions wait ends the batch before it, and one whose version waits is passed over, because it comes as that event. So no consumer gets an older version
 *  after a newer one.
 *
 *  A trigger selects the state as if it had just come to be: it is asked with `%current` and without `%previous`, whatever interactions it is
 *  on. One that is on deletes alone selects nothing. */
export class BackfillWork implements JobWork {
  readonly #parts: BackfillWorkParts
  readonly #selections = new TopicSelections(onStates)

  constructor(parts: BackfillWorkParts) {
    this.#parts = parts
  }

  async prepare(
    job: Job,
    destination: TopicDestination,
    limits: BatchLimits,
  ): Promise<PreparedBatch> {
    const { host } = this.#parts
    if (!host.references) throw new JobCannotGoOn('This server cannot list its resources.')
    if (job.selection.topicUrl !== destination.topicUrl) {
      throw new JobCannotGoOn('The destination has another topic than when the job began.')
    }
    const { topic, audience } = this.#queueOf(destination)
    const { maxEvents: limit } = limits
    const types = typesOf(selecting(topic))
    const references = await host.references({
      limit,
      ...(types && { types }),
      ...(job.position !== '' && { after: job.position }),
    })
    const decide = (resources: readonly FhirResource[]): Promise<readonly Decision[]> =>
      this.#decide(job, resources, topic, audience)
    const wanted = references.filter((reference) => !isOwnType(reference.split('/')[0] ?? ''))
    const decisions = await decideAll(await host.read(wanted), new Map(), decide)
    return {
      take: async () => {
        const resources = await host.read(wanted)
        // After the resources: what was committed before they were read is seen.
        const queued = await this.#parts.queuedVersions(job.destinationId)
        if (!queued) return undefined
        const now = await decideAll(resources, decisions, decide)
        return batchOf(references, now, queued, limits, references.length < limit, job)
      },
    }
  }

  #queueOf({ reference, topicUrl }: TopicDestination): {
    topic: SubscriptionTopic
    audience: Audience
  } {
    const { registry } = this.#parts
    const topic = registry.topicByUrl(topicUrl)
    const topicId = registry.destinations.get(reference)?.row.topicId
    const audience = registry.audiences(topicUrl).find((each) => each.topicId === topicId)
    const rest = restOf(topicUrl, topic)
    if (rest !== undefined) throw new Error(rest)
    if (!topic || !audience) throw new Error(`Nobody is known to read the topic ${topicUrl}.`)
    return { topic, audience }
  }

  async #decide(
    job: Job,
    resources: readonly FhirResource[],
    topic: SubscriptionTopic,
    audience: Audience,
  ): Promise<readonly Decision[]> {
    const changes = resources.map((current): Change => ({
      interaction: 'create',
      resourceType: current.resourceType,
      id: current.id ?? '',
      current,
    }))
    const { host } = this.#parts
    const { events, undecided } = await selectEvents(
      changes,
      changes,
      undefined,
      (references) => host.read(references),
      this.#selections.of(topic, audience),
    )
    const selected = new Map(
      events.map((event) => [`${event.resourceType}/${event.resourceId}`, event]),
    )
    const errors = new Map(
      undecided.map((event) => [`${event.resourceType}/${event.resourceId}`, event.error]),
    )
    return resources.map((resource) => {
      const reference = referenceOf(resource)
      const { versionId } = resource.meta ?? {}
      const body = selected.get(reference)?.body
      const event =
        body === undefined
          ? undefined
          : ({
              id: `backfill-${job.id}-${resource.resourceType}-${resource.id ?? ''}`,
              topicId: audience.topicId,
              topicUrl: topic.url,
              interaction: 'update',
              resourceType: resource.resourceType,
              resourceId: resource.id ?? '',
              ...(versionId !== undefined && { versionId }),
              at: timeOf(resource),
              body,
            } satisfies JobEvent)
      return { versionId, event, error: errors.get(reference) }
    })
  }
}

/** The topic as it selects states: each as if it had just come to be. */
function onStates(topic: SubscriptionTopic): SubscriptionTopic {
  const triggers = selecting(topic).map((trigger) => ({
    ...trigger,
    interactions: ['create'] as const,
  }))
  return { ...topic, status: 'active', triggers }
}

function selecting({ triggers }: SubscriptionTopic): SubscriptionTopic['triggers'] {
  return triggers.filter(({ interactions }) => interactions.some((each) => each !== 'delete'))
}

/** Decides those that are not known in this version. */
async function decideAll(
  resources: ReadonlyMap<string, FhirResource>,
  known: ReadonlyMap<string, Decision>,
  decide: (resources: readonly FhirResource[]) => Promise<readonly Decision[]>,
): Promise<ReadonlyMap<string, Decision>> {
  const isKnown = (reference: string, { meta }: FhirResource): boolean => {
    const decision = known.get(reference)
    return decision?.versionId !== undefined && decision.versionId === meta?.versionId
  }
  const open = [...resources].filter(([reference, resource]) => !isKnown(reference, resource))
  const decided = open.length === 0 ? [] : await decide(open.map(([, resource]) => resource))
  const all = new Map(open.map(([reference], index) => [reference, decided[index]]))
  return new Map(
    [...resources.keys()].flatMap((reference) => {
      const decision = all.get(reference) ?? known.get(reference)
      return decision ? [[reference, decision] as const] : []
    }),
  )
}

/** As many as fit, but at least one; undefined when other versions of the first wait in the queue. */
function batchOf(
  references: readonly string[],
  decisions: ReadonlyMap<string, Decision>,
  queued: QueuedVersions,
  { maxBytes }: BatchLimits,
  isLast: boolean,
  job: Job,
): JobBatch | undefined {
  const events: JobEvent[] = []
  let [bytes, passedOver, failed, position] = [0, 0, 0, job.position]
  let error: string | undefined
  const batch = (isEnd: boolean): JobBatch => ({
    events,
    position,
    passedOver,
    failed,
    isLast: isEnd,
    ...(error !== undefined && { error }),
  })
  for (const reference of references) {
    const { event, versionId, error: why } = decisions.get(reference) ?? {}
    const waiting = event && queued.get(reference)
    const isQueued = waiting?.has(versionId ?? null) === true && versionId !== undefined
    bytes += Buffer.byteLength(event?.body ?? '')
    const isFull = events.length > 0 && bytes > maxBytes
    if (event && !isQueued && (isFull || waiting)) {
      return position === job.position ? undefined : batch(false)
    }
    position = reference
    if (event && !isQueued) events.push(event)
    else if (why === undefined) passedOver++
    else {
      failed++
      error = `${reference}: ${why}`
    }
  }
  return batch(isLast)
}

function referenceOf({ resourceType, id = '' }: FhirResource): string {
  return `${resourceType}/${id}`
}

function timeOf({ meta }: FhirResource): Date {
  const at = new Date(meta?.lastUpdated ?? Number.NaN)
  return Number.isNaN(at.getTime()) ? new Date() : at
}
