export interface DestinationLabels {
  readonly destination: string
  readonly kind: string
  readonly [label: string]: string
}

export interface NamedDestination {
  readonly destinationId: number
  /** `AidboxTopicDestination/<id>` */
  readonly reference: string
  readonly kind: string
}

/** Label of what has no series of its own. Not an id of FHIR, so that it cannot be one of a destination. */
export const othersName = '(others)'

/** Which destinations have series of their own: the oldest ones, so that a new one changes nothing for the others. The rest is added up under
 *  {@link othersName}: a scrape stays bounded however many destinations there are. */
export class DestinationSeries {
  readonly #max: number
  #named: ReadonlyMap<number, DestinationLabels> = new Map()
  readonly #others = new Map<string, DestinationLabels>()

  constructor(max: number) {
    this.#max = max
  }

  /** @returns labels that are not used any more */
  update(destinations: Iterable<NamedDestination>): readonly DestinationLabels[] {
    const oldest = [...destinations]
      .toSorted((a, b) => a.destinationId - b.destinationId)
      .slice(0, this.#max)
    const before = this.#named
    this.#named = new Map(
      oldest.map(({ destinationId, reference, kind }) => [
        destinationId,
        before.get(destinationId) ?? { destination: reference.replace(/^.*\//, ''), kind },
      ]),
    )
    return [...before].filter(([id]) => !this.#named.has(id)).map(([, labels]) => labels)
  }

  /** The same object for the same series. */
  labelsOf(destinationId: number, kind: string): DestinationLabels {
    const named = this.#named.get(destinationId)
    if (named) return named
    let labels = this.#others.get(kind)
    if (!labels) this.#others.set(kind, (labels = { destination: othersName, kind }))
    return labels
  }
}

/** The sum of what rises, of a set of destinations that loses some now and then. It keeps what they had: Prometheus takes a fall for a restart and
 *  would count everything again. */
export class RisingSum {
  #last: ReadonlyMap<number, number> = new Map()
  #gone = 0

  of(values: ReadonlyMap<number, number>): number {
    for (const [id, value] of this.#last) if (!values.has(id)) this.#gone += value
    this.#last = values
    let sum = this.#gone
    for (const value of values.values()) sum += value
    return sum
  }
}
