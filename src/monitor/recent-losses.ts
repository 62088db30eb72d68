import type { DestinationOverview } from '../outbox/destination-overview.ts'

interface Seen {
  readonly lost: number
  readonly lostAtMs: number | undefined
}

/** When destinations of best effort lost events last, as the looks of this node tell: nothing else keeps the time. */
export class RecentLosses {
  #seen: ReadonlyMap<string, Seen> = new Map()

  add(nowMs: number, overviews: readonly DestinationOverview[]): void {
    const before = this.#seen
    this.#seen = new Map(
      overviews
        .filter(({ kind }) => kind === 'kafka-best-effort')
        .map((overview) => {
          const { reference, lost } = overview
          const known = before.get(reference)
          const lostAtMs = known === undefined ? guessOf(overview) : known.lostAtMs
          const hasLost = known !== undefined && lost > known.lost
          return [reference, { lost, lostAtMs: hasLost ? nowMs : lostAtMs }]
        }),
    )
  }

  /** Undefined: it has lost none. */
  lostAtMs(reference: string): number | undefined {
    return this.#seen.get(reference)?.lostAtMs
  }
}

/** Whoever looks for the first time takes the newest error for the reason of a loss. */
function guessOf({ lost, lastErrors }: DestinationOverview): number | undefined {
  return lost > 0 ? lastErrors[0]?.timestamp.getTime() : undefined
}
