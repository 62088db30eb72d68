import type { DeliveryCounts } from '../outbox/delivery-counts.ts'
import { hasCount, type EventCounts } from '../outbox/event-counts.ts'
import type { JobFigures } from '../outbox/jobs.ts'
import { ClusterFigures } from './cluster-figures.ts'
import { othersName, RisingSum, type NamedDestination } from './destination-series.ts'
import type { Logger } from './logger.ts'
import {
  addSource,
  type MetricRegistry,
  type Series,
  type SeriesSource,
} from './metric-registry.ts'
import { metricTable, type MetricKey } from './metric-table.ts'
import type { NodeFigures } from './node-figures.ts'

/** Where the module's metrics go. */
export interface MetricsOptions {
  /** prom-client's `Registry`, or one of its shape. The module has no registry of its own and never uses a global one. */
  readonly registry: MetricRegistry
  /** Labels of every series, such as the name of the installation.
   *  @default {} */
  readonly labels?: Readonly<Record<string, string>>
  /** Most destinations that have series of their own, the oldest ones; the others are added up as `destination="(others)"`.
   *  @default 1000  Minimum 0, maximum 100000. */
  readonly maxDestinations?: number
}

export const defaultMaxDestinations = 1000

/** A lane as others see it. */
export interface LaneView {
  readonly destinationId: number
  readonly state: 'active' | 'resting' | 'failing' | 'off'
  /** Attempts that have failed since the last success. */
  readonly failures: number
  /** It has a producer that is open. */
  readonly isConnected: boolean
}

export interface StatedDestination extends NamedDestination {
  /** As $status says. */
  readonly state: 'active' | 'off' | 'error'
}

export interface ClusterCounts {
  readonly counts: readonly DeliveryCounts[]
  readonly jobs: readonly JobFigures[]
}

export interface MetricSources {
  /** What every node tells alike. */
  readonly readCluster: () => Promise<ClusterCounts>
  readonly destinations: () => readonly StatedDestination[]
  readonly lanes: () => readonly LaneView[]
  /** Producers of best effort that are open. */
  readonly sharedProducers: () => number
  readonly registryAgeMs: () => number
  readonly logger: Logger
}

type CountKey = keyof EventCounts | 'oldestEventAge'

/** The metrics of one module in a registry: what each series is worth at a scrape. */
export class ModuleMetrics {
  readonly #options: MetricsOptions
  readonly #figures: NodeFigures
  readonly #sources: MetricSources
  readonly #cluster: ClusterFigures<ClusterCounts>
  readonly #sums = new Map<string, RisingSum>()
  readonly #detach: (() => void)[] = []

  constructor(options: MetricsOptions, figures: NodeFigures, sources: MetricSources) {
    this.#options = options
    this.#figures = figures
    this.#sources = sources
    this.#cluster = new ClusterFigures(sources.readCluster, (error) => {
      sources.logger.warn(
        { err: error },
        'metrics are without cluster-wide series: the database does not answer',
      )
    })
  }

  /** @throws TopicDestinationError `KTD_INVALID_OPTION` when the registry has other metrics of these names */
  attach(): void {
    const { registry, labels } = this.#options
    const sources = this.#seriesSources()
    try {
      for (const key of Object.keys(sources) as MetricKey[]) {
        const source: SeriesSource = async () =>
          (await sources[key]()).map((series) => ({
            ...series,
            labels: { ...labels, ...series.labels },
          }))
        this.#detach.push(addSource(registry, metricTable[key], source))
      }
    } catch (error) {
      this.detach()
      throw error
    }
  }

  /** To be called when destinations have come, changed or gone. */
  update(): void {
    this.#figures.update(this.#sources.destinations())
  }

  /** The series are gone; the metrics stay in the registry. */
  detach(): void {
    for (const detach of this.#detach.splice(0)) detach()
  }

  #seriesSources(): Record<MetricKey, SeriesSource> {
    const { matchSeconds, enqueueSeconds, produceSeconds } = this.#figures
    const one = (value: Series['value']): readonly Series[] => [{ labels: {}, value }]
    const counted =
      (key: CountKey): SeriesSource =>
      async () =>
        this.#counted(key)
    return {
      delivered: counted('delivered'),
      failedAttempts: counted('failedAttempts'),
      lost: counted('lost'),
      dead: counted('dead'),
      undecided: counted('undecided'),
      notKept: counted('notKept'),
      notFired: counted('notFired'),
      discarded: counted('discarded'),
      inProcess: counted('inProcess'),
      queued: counted('queued'),
      oldestEventAge: counted('oldestEventAge'),
      state: () => this.#states(),
      jobState: () => this.#ofJobs(({ state }) => [[{ state }, 1]]),
      jobEvents: () =>
        this.#ofJobs(({ sent, failed, passedOver }) => [
          [{ result: 'sent' }, sent],
          [{ result: 'failed' }, failed],
          [{ result: 'passed_over' }, passedOver],
        ]),
      deliveryDuration: () => this.#figures.deliverySeconds,
      produceDuration: () => one(produceSeconds),
      matchDuration: () => one(matchSeconds),
      enqueueDuration: () => one(enqueueSeconds),
      enqueued: () => one(this.#figures.enqueued),
      leader: () => this.#ofLanes(() => 1, add),
      consecutiveFailures: () => this.#ofLanes(({ failures }) => failures, Math.max),
      lanes: () => this.#laneStates(),
      producers: () => this.#producers(),
      registryAge: () => one(this.#sources.registryAgeMs() / 1000),
      collectFailures: async () => {
        await this.#cluster.current()
        return one(this.#cluster.failures)
      },
    }
  }

  async #counted(key: CountKey): Promise<readonly Series[]> {
    const cluster = await this.#cluster.current()
    const grouped = new Grouped(this.#figures)
    for (const counts of cluster?.counts ?? []) {
      if (!hasCount(counts.kind, key)) continue
      grouped.add(counts.destinationId, counts.kind, counts[key], {})
    }
    if (metricTable[key].type === 'gauge') {
      return grouped.series(key === 'oldestEventAge' ? Math.max : add)
    }
    return grouped.risingSeries((kind) => {
      const name = `${key} ${kind}`
      let sum = this.#sums.get(name)
      if (!sum) this.#sums.set(name, (sum = new RisingSum()))
      return sum
    })
  }

  async #ofJobs(
    values: (job: JobFigures) => readonly (readonly [Record<string, string>, number])[],
  ): Promise<readonly Series[]> {
    const cluster = await this.#cluster.current()
    const grouped = new Grouped(this.#figures)
    for (const job of cluster?.jobs ?? []) {
      for (const [labels, value] of values(job)) {
        const all = { operation: job.kind, ...labels }
        grouped.add(job.destinationId, 'kafka-at-least-once', value, all)
      }
    }
    return grouped.series(add)
  }

  #states(): readonly Series[] {
    const grouped = new Grouped(this.#figures)
    for (const { destinationId, kind, state } of this.#sources.destinations()) {
      grouped.add(destinationId, kind, 1, { state })
    }
    return grouped.series(add)
  }

  #ofLanes(
    value: (lane: LaneView) => number,
    combine: (a: number, b: number) => number,
  ): readonly Series[] {
    const grouped = new Grouped(this.#figures)
    for (const lane of this.#sources.lanes()) {
      grouped.add(lane.destinationId, 'kafka-at-least-once', value(lane), {})
    }
    return grouped.series(combine)
  }

  #laneStates(): readonly Series[] {
    const count = { active: 0, resting: 0, failing: 0, off: 0 }
    for (const { state } of this.#sources.lanes()) count[state]++
    return Object.entries(count).map(([state, value]) => ({ labels: { state }, value }))
  }

  #producers(): readonly Series[] {
    const ofLanes = this.#sources.lanes().filter(({ isConnected }) => isConnected).length
    return [
      { labels: { kind: 'kafka-at-least-once' }, value: ofLanes },
      { labels: { kind: 'kafka-best-effort' }, value: this.#sources.sharedProducers() },
    ]
  }
}

function add(a: number, b: number): number {
  return a + b
}

/** Values of destinations by the series that they belong to. */
class Grouped {
  readonly #figures: NodeFigures
  readonly #groups = new Map<
    string,
    { readonly labels: Record<string, string>; readonly values: Map<number, number> }
  >()

  constructor(figures: NodeFigures) {
    this.#figures = figures
  }

  add(destinationId: number, kind: string, value: number, more: Record<string, string>): void {
    const labels = { ...this.#figures.series.labelsOf(destinationId, kind), ...more }
    const key = Object.values(labels).join(' ')
    let group = this.#groups.get(key)
    if (!group) this.#groups.set(key, (group = { labels, values: new Map() }))
    group.values.set(destinationId, value)
  }

  series(combine: (a: number, b: number) => number): readonly Series[] {
    return [...this.#groups.values()].map(({ labels, values }) => ({
      labels,
      value: [...values.values()].reduce((a, b) => combine(a, b)),
    }))
  }

  /** @param sumOf the others of a kind */
  risingSeries(sumOf: (kind: string) => RisingSum): readonly Series[] {
    return [...this.#groups.values()].map(({ labels, values }) => ({
      labels,
      value:
        labels['destination'] === othersName
          ? sumOf(labels['kind'] ?? '').of(values)
          : [...values.values()].reduce(add),
    }))
  }
}
