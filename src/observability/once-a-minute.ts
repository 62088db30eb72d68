const minuteMs = 60_000
/** Of which each may be a cause with a name in it that does not come again. */
const maxKeys = 1000

/** Lets one line a minute through for each key, so that what goes wrong with every write does not fill the log. */
export class OnceAMinute {
  readonly #now: () => number
  readonly #last = new Map<string, number>()
  readonly #held = new Map<string, number>()

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** @param count of what the line is about
   *  @returns how much there was since the last line, when another one may be written */
  pass(key: string, count = 1): number | undefined {
    const now = this.#now()
    const sum = (this.#held.get(key) ?? 0) + count
    if (now - (this.#last.get(key) ?? Number.NEGATIVE_INFINITY) < minuteMs) {
      this.#held.set(key, sum)
      return undefined
    }
    this.#last.set(key, now)
    this.#held.delete(key)
    if (this.#last.size > maxKeys) this.#forgetOld(now)
    return sum
  }

  #forgetOld(now: number): void {
    for (const [key, at] of this.#last) {
      if (now - at < minuteMs) continue
      this.#last.delete(key)
      this.#held.delete(key)
    }
  }
}
