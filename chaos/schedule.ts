import { setTimeout as delay } from 'node:timers/promises'
import { seededRandom } from '../test/helpers/seeded-random.ts'
import { withDeadline } from './deadline.ts'
import type { FaultKind, Stage, Target } from './faults.ts'

const healDeadlineMs = 300_000

export interface NamedKind {
  readonly name: string
  readonly kind: FaultKind
}

export interface ScheduleOptions {
  readonly seed: number
  /** Mean time between two faults, in ms. */
  readonly intervalMs: number
  /** Kinds to draw from. */
  readonly kinds: readonly NamedKind[]
}

/** Strikes faults in the order that the seed gives. The seed decides which, when, and on what; not how far everything else has come. */
export class Schedule {
  readonly counts: Map<string, number> = new Map()
  readonly #stage: Stage
  readonly #options: ScheduleOptions
  readonly #random: () => number
  readonly #busy = new Map<Target, Set<Promise<void>>>()
  #fault: Error | undefined

  constructor(stage: Stage, options: ScheduleOptions) {
    this.#stage = stage
    this.#options = options
    this.#random = seededRandom(options.seed)
  }

  get total(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0)
  }

  /** Strikes until the signal, then waits until everything is healed.
   *  @throws what a fault could not heal */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#fault === undefined) {
      const { name, kind } = this.#draw()
      const seed = Math.floor(this.#random() * 2 ** 32)
      const pauseMs = -Math.log(1 - this.#random()) * this.#options.intervalMs
      await delay(Math.min(pauseMs, 4 * this.#options.intervalMs), undefined, { signal }).catch(
        () => undefined,
      )
      const busy = this.#busyAt(kind.target)
      while (busy.size >= this.#capacity(kind.target)) await Promise.race(busy)
      this.counts.set(name, (this.counts.get(name) ?? 0) + 1)
      const struck = this.#strike(name, kind, seed).finally(() => {
        busy.delete(struck)
      })
      busy.add(struck)
    }
    await Promise.all([...this.#busy.values()].flatMap((busy) => [...busy]))
    if (this.#fault !== undefined) throw this.#fault
  }

  #busyAt(target: Target): Set<Promise<void>> {
    const busy = this.#busy.get(target) ?? new Set()
    this.#busy.set(target, busy)
    return busy
  }

  /** At least one node is left alone. */
  #capacity(target: Target): number {
    return target === 'nodes' ? Math.max(1, this.#stage.nodes.count - 1) : 1
  }

  async #strike(name: string, kind: FaultKind, seed: number): Promise<void> {
    try {
      const work = kind.strike(this.#stage, seededRandom(seed))
      await withDeadline(work, healDeadlineMs, `the end of the fault "${name}"`)
    } catch (error) {
      this.#fault ??= error instanceof Error ? error : new Error(String(error))
    }
  }

  #draw(): NamedKind {
    const { kinds } = this.#options
    let rest = this.#random() * kinds.reduce((sum, { kind }) => sum + kind.weight, 0)
    const drawn = kinds.find(({ kind }) => (rest -= kind.weight) < 0) ?? kinds[0]
    if (!drawn) throw new Error('there are no kinds of faults')
    return drawn
  }
}
