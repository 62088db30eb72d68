import { TopicDestinationError } from '../errors.ts'
import type { Histogram } from './histogram.ts'
import { helpOf, type MetricDefinition } from './metric-table.ts'

/** What the module needs of a registry: prom-client's `Registry` has this shape. */
export interface MetricRegistry {
  /** Takes an object with `name`, `help`, `type` and `get()`, as prom-client's own metrics are. */
  registerMetric(metric: never): void
  getSingleMetric(name: string): unknown
}

export interface Series {
  readonly labels: Readonly<Record<string, string>>
  /** A number; of a histogram all that it has counted. */
  readonly value: number | Histogram
}

/** Where the series of one metric come from, for one module. Never rejects. */
export type SeriesSource = () => readonly Series[] | Promise<readonly Series[]>

interface Sample {
  readonly metricName?: string
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
}

/** Marks a metric as one of this package, whatever copy of it: a second module in the process adds its series to it. */
const sourcesOf = Symbol.for('fhir-topic-destination-kafka.metric-sources')

/** A metric as a registry of prom-client reads it: `get()` at each scrape.
 *
 *  Not prom-client's classes: their series outlive what they are about, and each observation of a histogram makes a text of its labels. */
class TableMetric {
  readonly name: string
  readonly help: string
  readonly type: MetricDefinition['type']
  /** How prom-client adds up the processes of a `node:cluster`. */
  readonly aggregator: 'max' | 'sum'
  readonly [sourcesOf] = new Set<SeriesSource>()

  constructor(definition: MetricDefinition) {
    this.name = definition.name
    this.help = helpOf(definition)
    this.type = definition.type
    this.aggregator = definition.scope === 'cluster' ? 'max' : 'sum'
  }

  async get(): Promise<object> {
    const { name, help, type, aggregator } = this
    const series = await Promise.all([...this[sourcesOf]].map(async (source) => source()))
    const values = series.flat().flatMap((one) => samplesOf(name, one))
    return { name, help, type, aggregator, values }
  }

  /** prom-client's `resetMetrics()` calls it. What PostgreSQL says cannot be reset. */
  reset(): void {
    // Nothing to do.
  }
}

function samplesOf(name: string, { labels, value }: Series): readonly Sample[] {
  if (typeof value === 'number') return [{ labels, value }]
  const { bounds, cumulative, count, sum } = value
  const bucket = (le: number | string, counted: number): Sample => ({
    metricName: `${name}_bucket`,
    labels: { ...labels, le },
    value: counted,
  })
  return [
    ...bounds.map((bound, index) => bucket(bound, cumulative[index] ?? 0)),
    bucket('+Inf', count),
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ]
}

/** Gives a metric another source of series; registers it when the registry does not have it.
 *  @returns takes the source away again, and its series with it
 *  @throws TopicDestinationError `KTD_INVALID_OPTION` when the registry has something else of that name */
export function addSource(
  registry: MetricRegistry,
  definition: MetricDefinition,
  source: SeriesSource,
): () => void {
  const { name } = definition
  const found = registry.getSingleMetric(name)
  if (found !== undefined && !isOurs(found)) {
    throw new TopicDestinationError(
      'KTD_INVALID_OPTION',
      `metrics.registry has a metric ${name} that is not this module's.`,
    )
  }
  const metric = found ?? new TableMetric(definition)
  // The parameter is `never` so that any registry fits; prom-client asks for one of its own classes and uses no more than this.
  if (found === undefined) registry.registerMetric(metric as never)
  const sources = metric[sourcesOf]
  sources.add(source)
  return () => {
    sources.delete(source)
  }
}

function isOurs(metric: unknown): metric is { readonly [sourcesOf]: Set<SeriesSource> } {
  return typeof metric === 'object' && metric !== null && sourcesOf in metric
}
