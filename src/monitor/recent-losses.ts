import type { DestinationOverview } from '../outbox/destination-overview.ts'

interface Seen {
  readonly lost: number
  readonly lostAtMs: number | undefined
}

/** When destinations of best effort lost events last, as the looks of this node tell: nothing else keeps the time. */
export class RecentLosses {
  #seen: ReadonlyMap<string, Seen> = new Map()

  add(overviews: readonly DestinationOverview[]): void {
    const before = this.#seen
    this.#seen = new Map(
      overviews
        .filter(({ kind }) => kind === 'kafka-best-effort')
        .map((overview) => {
          const { reference, lost } = overview
          const known = before.get(reference)
          const isNews = known === undefined ? lost > 0 : lost > known.lost
          return [reference, { lost, lostAtMs: isNews ? lossOf(overview) : known?.lostAtMs }]
        }),
    )
  }

  /** Undefined: it has lost none. */
  lostAtMs(reference: string): number | undefined {
    return this.#seen.get(reference)?.lostAtMs
  }
}

/** Every loss leaves an error, and nobody may have looked for hours. At the first look it may be of something else. */
function lossOf({ lastErrors }: DestinationOverview): number | undefined {
  return lastErrors[0]?.timestamp.getTime()
}
