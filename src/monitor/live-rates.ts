import type { DestinationOverview } from '../outbox/destination-overview.ts'
import { perSecond } from './rate.ts'

const windowMs = 10_000

interface Look {
  readonly atMs: number
  readonly delivered: ReadonlyMap<string, number>
}

/** Events a second over the looks of the last ten seconds. */
export class LiveRates {
  readonly #looks: Look[] = []

  add(atMs: number, overviews: readonly DestinationOverview[]): void {
    const delivered = new Map(overviews.map((each) => [each.reference, each.delivered]))
    this.#looks.push({ atMs, delivered })
    while (atMs - (this.#looks[0]?.atMs ?? atMs) > windowMs) this.#looks.shift()
  }

  /** Undefined while there is one look only. */
  perSecond(reference: string): number | undefined {
    const last = this.#looks.at(-1)
    const first = this.#looks.find(({ delivered }) => delivered.has(reference))
    if (!last || !first || last === first) return undefined
    const count = (last.delivered.get(reference) ?? 0) - (first.delivered.get(reference) ?? 0)
    return perSecond(count, last.atMs - first.atMs)
  }
}
