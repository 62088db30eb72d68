import { isDeepStrictEqual } from 'node:util'
import { OperationOutcomeError } from '@medplum/core'
import { endsWithin } from '../deadline.ts'
import type { FhirHost, FhirResource, SqlTx } from '../host/types.ts'
import type { Logger } from '../observability/logger.ts'
import type { DestinationRow } from '../outbox/destination-row.ts'
import { listDestinationRows } from '../outbox/destinations.ts'
import { readRegistryChanges } from '../outbox/registry-changes.ts'
import type { OutboxSchema } from '../outbox/schema.ts'
import { noteTopicHolders } from '../outbox/topic-holders.ts'
import { destinationTypeName, topicTypeName } from '../resources/type-names.ts'
import { Slices } from '../slices.ts'
import { parseSubscriptionTopic, type SubscriptionTopic } from '../triggers/subscription-topic.ts'
import { TopicFacts } from '../triggers/topic-facts.ts'
import { TopicIndex, triggersOn } from '../triggers/topic-index.ts'
import { asksForOrganization, groupAudiences, type Audience } from './audiences.ts'
import { OneView } from './one-view.ts'
import type { RegisteredDestination } from './registered-destination.ts'
import { RestingTopics } from './resting-topics.ts'
import { StoredDestinations, type StoredDestinationsParts } from './stored-destinations.ts'

export interface RegistryParts extends StoredDestinationsParts {
  readonly db: SqlTx
  readonly schema: OutboxSchema
  readonly host: FhirHost
  readonly leaseMs: number
  readonly logger: Logger
}

const notStored = { destination: undefined, fault: 'The resource is not stored.' }

/** Writes wait no longer for a view that cannot be refreshed. */
const freshWithinMs = 10_000
/** Part of the lease that is used. The rest is for timers that fire a little early and clocks that do not run alike. */
const usedLease = 0.9

/** This node's view of topics and destinations, never older than its lease when a transaction asks.
 *
 *  Why a lease: node A answers 201 for a destination, the client's next write goes to node B. B matches against its own view, so
 *  A waits one lease after COMMIT before it answers, and B refuses to match against a view that is older than one lease.
 *  Whatever B sees then was read after A's COMMIT. It costs no statement per write: the view is refreshed in the background. */
export class Registry {
  readonly #parts: RegistryParts
  readonly #topics = new Map<string, SubscriptionTopic>()
  readonly #stored: StoredDestinations
  readonly #restingTopics: RestingTopics
  #destinations: ReadonlyMap<string, RegisteredDestination> = new Map()
  #audiences: ReadonlyMap<string, readonly Audience[]> = new Map()
  #topicsByUrl: ReadonlyMap<string, SubscriptionTopic> = new Map()
  #index = new TopicIndex()
  #indexed = new Map<string, SubscriptionTopic>()
  #facts = new TopicFacts()
  readonly #view = new OneView()
  readonly #previousUse = new Map<string, boolean>()
  #snapshot: string | undefined
  /** Until it has succeeded: what was read is not read again. */
  #isRebuildDue = false
  #refreshedAtMs = Number.NEGATIVE_INFINITY
  #refreshing: { readonly startedAtMs: number; readonly done: Promise<void> } | undefined
  #timer: NodeJS.Timeout | undefined
  readonly #listeners: (() => void)[] = []

  constructor(parts: RegistryParts) {
    this.#parts = parts
    this.#stored = new StoredDestinations(parts)
    this.#restingTopics = new RestingTopics(parts.logger)
  }

  /** Reads everything and keeps the view fresh in the background until `stop`. */
  async start(): Promise<void> {
    await this.refresh()
    // Three tries within one lease: a slow answer or two do not make writes wait.
    this.#timer = setInterval(() => {
      this.refresh().catch((error: unknown) => {
        this.#parts.logger.warn(
          { err: error },
          'cannot refresh topics and destinations; will retry',
        )
      })
    }, this.#parts.leaseMs / 3)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#refreshing?.done.catch(() => undefined)
  }

  /** Called after every refresh that changed a destination. The objects of the others are the same as before. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** Since the begin of the refresh that the view is from; infinite before the first. */
  get ageMs(): number {
    return performance.now() - this.#refreshedAtMs
  }

  get index(): TopicIndex {
    return this.#index
  }

  get destinations(): ReadonlyMap<string, RegisteredDestination> {
    return this.#destinations
  }

  audiences(topicUrl: string): readonly Audience[] {
    return this.#audiences.get(topicUrl) ?? []
  }

  /** The stored topic with this url, active or not. */
  topicByUrl(url: string): SubscriptionTopic | undefined {
    return this.#topicsByUrl.get(url)
  }

  /** All stored topics, active or not, by url. */
  get topics(): ReadonlyMap<string, SubscriptionTopic> {
    return this.#topicsByUrl
  }

  /** The topics that are matched: active, and somebody listens. By url. */
  get matchedTopics(): ReadonlyMap<string, SubscriptionTopic> {
    return this.#indexed
  }

  /** Why a matched topic cannot be used as it is stored; undefined when it can. */
  topicFault(url: string): string | undefined {
    return this.#facts.faults.get(url)
  }

  /** Whether a criteria of a matched topic asks for the version before. */
  asksForPrevious(topic: SubscriptionTopic): boolean {
    return this.#facts.usesPrevious(topic)
  }

  /** Whether anything depends on the version before an update or delete of this type: a criteria, or the organization of what is deleted. */
  usesPrevious(resourceType: string): boolean {
    // Another node may have made a topic that this one does not know of.
    if (!this.#isFresh) return true
    const known = this.#previousUse.get(resourceType)
    if (known !== undefined) return known
    const needsOrganization = [...this.#indexed.values()].some(
      (topic) =>
        asksForOrganization(this.audiences(topic.url)) &&
        triggersOn(topic, resourceType).some(({ interactions }) => interactions.includes('delete')),
    )
    const isUsed =
      needsOrganization ||
      this.#facts.usingPrevious(resourceType, 'update').length > 0 ||
      this.#facts.usingPrevious(resourceType, 'delete').length > 0
    this.#previousUse.set(resourceType, isUsed)
    return isUsed
  }

  /** Resolves when the view is at most one lease old, or contains everything committed before this call.
   *
   *  The wait is bounded, because the caller has a transaction open: when every connection of the host waits here, the host has none left
   *  to read the resources with that the refresh waits for.
   *  @throws {@link OperationOutcomeError} `transient`, when it takes too long */
  async ensureFresh(): Promise<void> {
    if (this.#isFresh) return
    if (!(await endsWithin(this.refresh(), freshWithinMs))) throw staleView()
  }

  /** The result of work that saw the same view from its begin to its end; see {@link OneView}.
   *
   *  A destination goes from topic A to B while a change that both select waits for a read: matched before, it fires A, to which nobody
   *  listens afterwards. Under one view it is an event of A, under the other of B. */
  underOneView<T>(work: () => Promise<T>): Promise<T> {
    return this.#view.during(work)
  }

  get #isFresh(): boolean {
    return this.ageMs <= this.#parts.leaseMs * usedLease
  }

  /** Resolves when the view contains everything committed before this call. */
  async refresh(): Promise<void> {
    const calledAtMs = performance.now()
    // A refresh under way began before this call and may have missed what was committed since; it is waited for, then repeated.
    while (this.#refreshing && this.#refreshing.startedAtMs < calledAtMs) {
      await this.#refreshing.done.catch(() => undefined)
    }
    this.#refreshing ??= this.#begin()
    await this.#refreshing.done
  }

  #begin(): { startedAtMs: number; done: Promise<void> } {
    const startedAtMs = performance.now()
    const done = this.#readChanges(startedAtMs).finally(() => {
      this.#refreshing = undefined
    })
    return { startedAtMs, done }
  }

  async #readChanges(startedAtMs: number): Promise<void> {
    const { db, schema } = this.#parts
    const { references, snapshot } = await readRegistryChanges(db, schema, this.#snapshot)
    const isFirst = this.#snapshot === undefined
    if (isFirst) await this.#readAll()
    else if (references.length > 0) await this.#readAgain(references)
    const isSecretOther = await this.#stored.lookAgain(startedAtMs)
    this.#isRebuildDue ||= isSecretOther || isFirst || references.length > 0
    const isChanged =
      this.#isRebuildDue && (await this.#rebuild(await listDestinationRows(db, schema)))
    this.#isRebuildDue = false
    this.#snapshot = snapshot
    this.#refreshedAtMs = startedAtMs
    if (isChanged) for (const listener of this.#listeners) listener()
  }

  async #readAll(): Promise<void> {
    this.#topics.clear()
    this.#stored.clear()
    const slices = new Slices()
    for (const type of [topicTypeName, destinationTypeName]) {
      for (const resource of await this.#parts.host.list(type)) {
        this.#store(`${type}/${resource.id ?? ''}`, resource)
        await slices.pause()
      }
    }
    const { db, schema } = this.#parts
    await noteTopicHolders(db, schema, [...this.#topics.values()])
  }

  async #readAgain(references: readonly string[]): Promise<void> {
    const current = await this.#parts.host.read(references)
    for (const reference of references) this.#store(reference, current.get(reference))
  }

  #store(reference: string, resource: FhirResource | undefined): void {
    if (!reference.startsWith(`${topicTypeName}/`)) {
      this.#stored.put(reference, resource)
      return
    }
    this.#topics.delete(reference)
    if (!resource) return
    try {
      this.#topics.set(reference, parseSubscriptionTopic(resource))
    } catch (error) {
      this.#parts.logger.error({ err: error, topic: reference }, 'a stored topic cannot be used')
    }
  }

  /** In slices, because with thousands of destinations it takes a while.
   *  @returns whether a destination has changed, come or gone */
  async #rebuild(rows: readonly DestinationRow[]): Promise<boolean> {
    const slices = new Slices()
    const before = this.#destinations
    const destinations = new Map<string, RegisteredDestination>()
    let isChanged = before.size !== rows.length
    for (const row of rows) {
      const registered = this.#register(row)
      destinations.set(row.reference, registered)
      isChanged ||= before.get(row.reference) !== registered
      await slices.pause()
    }
    const topicsByUrl = new Map([...this.#topics.values()].map((topic) => [topic.url, topic]))
    await slices.pause()
    const audiences = groupAudiences([...destinations.values()], topicsByUrl)
    await slices.pause()
    await this.#view.replace(async () => {
      this.#audiences = audiences
      this.#destinations = destinations
      this.#topicsByUrl = topicsByUrl
      await this.#reindex()
    })
    this.#restingTopics.look(rows, topicsByUrl)
    return isChanged
  }

  /** The same object as before when nothing has changed. */
  #register(row: DestinationRow): RegisteredDestination {
    const { destination, fault } = this.#stored.get(row.reference) ?? notStored
    const before = this.#destinations.get(row.reference)
    const now = { row, destination, fault }
    if (before && isDeepStrictEqual(before, now)) return before
    if (fault !== undefined) {
      this.#parts.logger.error(
        { destination: row.reference, fault },
        destination
          ? 'the new secrets of a destination cannot be used; it keeps those it has'
          : 'a destination cannot be used',
      )
    }
    return now
  }

  /** Only active topics that somebody listens to are matched. */
  async #reindex(): Promise<void> {
    const wanted = new Map<string, SubscriptionTopic>()
    for (const topic of this.#topics.values()) {
      if (topic.status === 'active' && this.#audiences.has(topic.url)) wanted.set(topic.url, topic)
    }
    const before = this.#indexed
    const gone = [...before.keys()].filter((url) => !wanted.has(url))
    const changed = [...wanted.values()].filter((topic) => before.get(topic.url) !== topic)
    await this.#index.update(gone, changed)
    const factsBefore = this.#facts
    const facts = await TopicFacts.inSlices(wanted.values(), (text) => this.#index.factsOf(text))
    this.#indexed = wanted
    this.#facts = facts
    this.#previousUse.clear()
    for (const [topic, fault] of this.#facts.faults) {
      if (factsBefore.faults.get(topic) === fault) continue
      this.#parts.logger.error({ topic, fault }, 'a stored topic is invalid')
    }
  }
}

function staleView(): OperationOutcomeError {
  const text = `This server could not read its topics and destinations within ${freshWithinMs} ms; try again.`
  return new OperationOutcomeError({
    resourceType: 'OperationOutcome',
    id: 'unavailable',
    issue: [{ severity: 'error', code: 'transient', details: { text } }],
  })
}
