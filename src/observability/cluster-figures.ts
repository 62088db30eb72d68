import { endsWithin } from '../deadline.ts'

const leastAgeMs = 1000
/** The database works on scrapes for no more than a part of the time, however often somebody scrapes. */
const restPerRead = 10
const readTimeoutMs = 5000

/** What is read from PostgreSQL for scrapes: shared by those that come within a second of it, and within ten times of what it took.
 *
 *  A database that does not answer must not fail the scrape, in which the host may have series of its own. */
export class ClusterFigures<Figures> {
  readonly #read: () => Promise<Figures>
  readonly #onFailure: (error: unknown) => void
  readonly #timeoutMs: number
  #reading: Promise<Figures> | undefined
  #last: { readonly figures: Promise<Figures | undefined>; untilMs: number } | undefined
  #failures = 0

  /** @param onFailure gets what went wrong; undefined: there was no answer in time */
  constructor(
    read: () => Promise<Figures>,
    onFailure: (error: unknown) => void,
    timeoutMs: number = readTimeoutMs,
  ) {
    this.#read = read
    this.#onFailure = onFailure
    this.#timeoutMs = timeoutMs
  }

  /** Reads without figures. */
  get failures(): number {
    return this.#failures
  }

  /** Undefined when the database does not answer. Never rejects. */
  async current(): Promise<Figures | undefined> {
    if (this.#last && performance.now() < this.#last.untilMs) return this.#last.figures
    const startedMs = performance.now()
    const last = { figures: this.#figures(), untilMs: Number.POSITIVE_INFINITY }
    this.#last = last
    const figures = await last.figures
    const tookMs = performance.now() - startedMs
    const keptMs = figures === undefined ? leastAgeMs : Math.max(leastAgeMs, restPerRead * tookMs)
    last.untilMs = performance.now() + keptMs
    return figures
  }

  async #figures(): Promise<Figures | undefined> {
    try {
      // One that hangs is not joined by a second one.
      const reading = (this.#reading ??= this.#begin())
      if (await endsWithin(reading, this.#timeoutMs)) return await reading
      this.#onFailure(undefined)
    } catch (error) {
      this.#onFailure(error)
    }
    this.#failures++
    return undefined
  }

  #begin(): Promise<Figures> {
    const reading = this.#read().finally(() => {
      this.#reading = undefined
    })
    // Whoever waits hears of a failure; after the timeout nobody does.
    reading.catch(() => undefined)
    return reading
  }
}
