/** Counts values by size. An observation costs a few nanoseconds: the relay makes one for each event. */
export class Histogram {
  /** Rising; values above the last are in `count` alone. */
  readonly bounds: readonly number[]
  readonly #counts: number[]
  #sum = 0
  #count = 0

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.#counts = bounds.map(() => 0)
  }

  get sum(): number {
    return this.#sum
  }

  get count(): number {
    return this.#count
  }

  /** Values that are not above each bound. */
  get cumulative(): readonly number[] {
    let sum = 0
    return this.#counts.map((count) => (sum += count))
  }

  /** Clocks of two machines may make it negative; it counts as 0 then. */
  observe(value: number): void {
    const observed = Math.max(0, value)
    const { bounds } = this
    let index = 0
    while (index < bounds.length && observed > (bounds[index] as number)) index++
    if (index < bounds.length) this.#counts[index] = (this.#counts[index] as number) + 1
    this.#sum += observed
    this.#count++
  }
}
