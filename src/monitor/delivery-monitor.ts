import { setTimeout as delay } from 'node:timers/promises'
import type { BestEffortEvent } from '../delivery/best-effort.ts'
import type { Registry } from '../delivery/registry.ts'
import type { UndecidedEvents } from '../delivery/undecided-queue.ts'
import type { Operation, SqlTx } from '../host/types.ts'
import { ClusterFigures } from '../observability/cluster-figures.ts'
import type { LaneView } from '../observability/module-metrics.ts'
import type { Logger } from '../observability/logger.ts'
import { listDeadLetters } from '../outbox/dead-letter-list.ts'
import { readDestinationOverviews } from '../outbox/destination-overview.ts'
import { listNodes, type NodePresence } from '../outbox/node-presence.ts'
import type { OutboxSchema } from '../outbox/schema.ts'
import { destinationTypeName } from '../resources/type-names.ts'
import { LiveRates } from './live-rates.ts'
import { NotificationTail, type TailListener } from './notification-tail.ts'
import { RecentLosses } from './recent-losses.ts'
import { Samples, sampleIntervalMs } from './samples.ts'
import { changeView, destinationView, summaryOf, worstFirst } from './to-view.ts'
import { TopicViews } from './topic-views.ts'
import type {
  DeadLetterView,
  DestinationRowView,
  DestinationView,
  NodeView,
  Series,
  Summary,
  TopicName,
  TopicView,
  UndecidedView,
} from './views.ts'

/** How all destinations did at one moment. */
export interface Overview {
  readonly summary: Summary
  /** The worst first. */
  readonly destinations: readonly DestinationView[]
}

export interface PageOf {
  /** Of the last entry of the page before; absent: the first page. */
  readonly after?: string | undefined
  /** @default 50 */
  readonly limit?: number | undefined
}

/** What can be watched of a module. Everything is shared by all who ask: the database is asked once a second at most, by those who come within ten times
 *  of what that took not again, and not at all while nobody asks, apart from a sample each 15 seconds for the charts once `keepSamples` was called. */
export interface DeliveryMonitor {
  /** Operations of a destination that the module has registered, without `$`. */
  readonly operations: readonly string[]
  /** @throws Error when the database does not answer */
  overview(): Promise<Overview>
  /** Calls back with a new overview about each second, until the answer is called; with undefined while the database does not answer. */
  watch(listener: (overview: Overview | undefined) => void): () => void
  /** Keeps samples of the last hour in memory while the module is started. */
  keepSamples(): void
  /** The nodes that are present, by name. */
  nodes(): Promise<readonly NodeView[]>
  series(reference: string): Series
  withLastHour(view: DestinationView): DestinationRowView
  /** All topics, by url. */
  topicNames(): readonly TopicName[]
  /** A topic with what its destinations have got; undefined where there is none. */
  topic(url: string, overview: Overview): TopicView | undefined
  deadLetters(reference: string, page?: PageOf): Promise<readonly DeadLetterView[]>
  /** Undecided events of the destination's topic. */
  undecided(reference: string, page?: PageOf): Promise<readonly UndecidedView[]>
  /** Calls back with what is sent from now on, until the answer is called; given a position that a listener had within the last seconds, with what was
   *  sent since then first. */
  tail(listener: TailListener, after?: string): () => void
}

export interface DeliveryMonitorParts {
  readonly db: SqlTx
  readonly schema: OutboxSchema
  readonly registry: Registry
  readonly presence: Pick<NodePresence, 'nodeId'>
  readonly undecided: Pick<UndecidedEvents, 'list'>
  /** The lanes that run on this node. */
  readonly lanes: () => readonly LaneView[]
  readonly logger: Logger
}

const watchIntervalMs = 1000

export class ModuleMonitor implements DeliveryMonitor {
  readonly #parts: DeliveryMonitorParts
  readonly #figures: ClusterFigures<Overview>
  readonly operations: string[] = []
  readonly #samples = new Samples()
  readonly #rates = new LiveRates()
  readonly #losses = new RecentLosses()
  readonly #tail: NotificationTail
  readonly #topics: TopicViews
  readonly #watchers = new Set<(overview: Overview | undefined) => void>()
  readonly #stopping = new AbortController()
  #isWatching = false
  #isStarted = false
  #isSampling = false
  #sampling: NodeJS.Timeout | undefined

  constructor(parts: DeliveryMonitorParts) {
    this.#parts = parts
    const { db, schema, logger } = parts
    this.#figures = new ClusterFigures(
      () => this.#look(),
      (error) => {
        if (!this.#stopping.signal.aborted)
          logger.warn({ err: error }, 'the monitor cannot read the outbox')
      },
    )
    this.#topics = new TopicViews(parts.registry)
    this.#tail = new NotificationTail(db, schema, parts.registry)
  }

  /** The host serves it. */
  registered({ resourceType, level, code }: Operation): void {
    if (resourceType === destinationTypeName && level === 'instance') this.operations.push(code)
  }

  async overview(): Promise<Overview> {
    const looked = await this.#figures.current()
    if (looked) return looked
    throw new Error('The database does not answer.')
  }

  watch(listener: (overview: Overview | undefined) => void): () => void {
    this.#watchers.add(listener)
    if (!this.#isWatching) void this.#watch()
    return () => {
      this.#watchers.delete(listener)
    }
  }

  keepSamples(): void {
    this.#isSampling = true
    this.#sample()
  }

  /** The outbox can be read from now on. */
  start(): void {
    this.#isStarted = true
    this.#sample()
  }

  #sample(): void {
    if (!this.#isSampling || !this.#isStarted || this.#sampling) return
    this.#sampling = setInterval(() => {
      void this.#figures.current()
    }, sampleIntervalMs)
    this.#sampling.unref()
    void this.#figures.current()
  }

  /** Nothing is read any more. */
  stop(): void {
    this.#stopping.abort()
    clearInterval(this.#sampling)
    this.#watchers.clear()
  }

  series(reference: string): Series {
    return this.#samples.series(reference)
  }

  withLastHour(view: DestinationView): DestinationRowView {
    return { ...view, lastHour: this.#samples.lastHour(view.reference, Date.now()) }
  }

  topicNames(): readonly TopicName[] {
    return this.#topics.names
  }

  topic(url: string, { destinations }: Overview): TopicView | undefined {
    return this.#topics.view(url, destinations)
  }

  async deadLetters(
    reference: string,
    { after, limit = 50 }: PageOf = {},
  ): Promise<readonly DeadLetterView[]> {
    const { db, schema } = this.#parts
    const beforeEvent = after === undefined ? undefined : Number(after)
    const letters = await listDeadLetters(db, schema, reference, { beforeEvent, limit })
    return letters.map((letter) => ({
      ...changeView(letter),
      eventNumber: letter.eventNumber,
      ...(letter.organization === '' ? {} : { organization: letter.organization }),
      failedAt: letter.failedAt.toISOString(),
      ...(letter.correlationId === undefined ? {} : { correlationId: letter.correlationId }),
      error: letter.error,
    }))
  }

  async undecided(
    reference: string,
    { after, limit = 50 }: PageOf = {},
  ): Promise<readonly UndecidedView[]> {
    const topicUrl = this.#parts.registry.destinations.get(reference)?.row.topicUrl
    if (topicUrl === undefined) return []
    const events = await this.#parts.undecided.list({
      selection: { topicUrl },
      ...(after === undefined ? {} : { afterId: after }),
      limit,
    })
    return events.map((event) => ({
      ...changeView(event),
      id: event.id,
      ...(event.organization === '' ? {} : { organization: event.organization }),
      attempts: event.attempts,
      ...(event.nextAttemptAt ? { nextAttemptAt: event.nextAttemptAt.toISOString() } : {}),
      ...(event.correlationId === undefined ? {} : { correlationId: event.correlationId }),
      error: event.error,
    }))
  }

  async nodes(): Promise<readonly NodeView[]> {
    const { db, schema, presence } = this.#parts
    const nodes = await listNodes(db, schema)
    return nodes.map(({ nodeId, name, startedAt, destinations }) => ({
      name,
      isThisNode: nodeId === presence.nodeId,
      startedAt: startedAt.toISOString(),
      destinations,
    }))
  }

  tail(listener: TailListener, after?: string): () => void {
    const endTail = this.#tail.subscribe(listener, after)
    // The tail is read from what each look finds.
    const endWatch = this.watch(() => undefined)
    return () => {
      endTail()
      endWatch()
    }
  }

  /** For the commit hooks: returns at once. */
  handedOver(events: readonly BestEffortEvent[]): void {
    this.#tail.handedOver(events)
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stopping
    this.#isWatching = true
    while (this.#watchers.size > 0 && !signal.aborted) {
      const looked = await this.#figures.current()
      for (const watcher of this.#watchers) watcher(looked)
      await delay(watchIntervalMs, undefined, { signal, ref: false }).catch(() => undefined)
    }
    this.#isWatching = false
  }

  async #look(): Promise<Overview> {
    const { db, schema, registry, presence } = this.#parts
    const overviews = await readDestinationOverviews(db, schema)
    const nowMs = Date.now()
    this.#rates.add(nowMs, overviews)
    this.#losses.add(overviews)
    if (this.#samples.isDue(nowMs)) this.#samples.add(nowMs, overviews)
    await this.#tail.look(overviews)
    const lanes = new Map(this.#parts.lanes().map((lane) => [lane.destinationId, lane]))
    const destinations = overviews
      .map((overview) =>
        destinationView(overview, registry, {
          nodeId: presence.nodeId,
          lane: lanes.get(overview.destinationId),
          movement: {
            nowMs,
            lostAtMs: this.#losses.lostAtMs(overview.reference),
            deliveredPerSecond:
              this.#rates.perSecond(overview.reference) ??
              this.#samples.deliveredPerSecond(overview.reference),
          },
        }),
      )
      .toSorted(worstFirst)
    return { destinations, summary: summaryOf(destinations, nowMs) }
  }
}
