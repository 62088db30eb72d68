import {
  DestinationSeries,
  type DestinationLabels,
  type NamedDestination,
} from './destination-series.ts'
import { Histogram } from './histogram.ts'
import { bucketsOf } from './metric-table.ts'
import type { Series } from './metric-registry.ts'

/** What this process counts of its own work, for metrics. */
export class NodeFigures {
  readonly matchSeconds: Histogram = new Histogram(bucketsOf('matchDuration'))
  readonly enqueueSeconds: Histogram = new Histogram(bucketsOf('enqueueDuration'))
  readonly produceSeconds: Histogram = new Histogram(bucketsOf('produceDuration'))
  enqueued = 0
  readonly series: DestinationSeries
  readonly #deliverySeconds = new Map<DestinationLabels, Histogram>()

  constructor(maxDestinations: number) {
    this.series = new DestinationSeries(maxDestinations)
  }

  /** Series of destinations that are gone are gone, too. */
  update(destinations: Iterable<NamedDestination>): void {
    for (const labels of this.series.update(destinations)) this.#deliverySeconds.delete(labels)
  }

  deliverySecondsOf(destinationId: number, kind: string): Histogram {
    const labels = this.series.labelsOf(destinationId, kind)
    let histogram = this.#deliverySeconds.get(labels)
    if (!histogram) {
      histogram = new Histogram(bucketsOf('deliveryDuration'))
      this.#deliverySeconds.set(labels, histogram)
    }
    return histogram
  }

  get deliverySeconds(): readonly Series[] {
    return [...this.#deliverySeconds].map(([labels, value]) => ({ labels, value }))
  }
}
