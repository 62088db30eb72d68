import type { Signal } from '../signal.ts'

/** When the next Kafka transaction of a lane may begin: at most one small one per linger, so that under load pages grow. An event that
 *  finds the lane idle goes at once. */
export class PagePace {
  readonly #pageLingerMs: number
  #begunAtMs = Number.NEGATIVE_INFINITY
  /** Shortest time from the begin of the last page to the begin of the next. */
  #lingerMs = 0

  constructor(pageLingerMs: number) {
    this.#pageLingerMs = pageLingerMs
  }

  /** Since the last page was begun. */
  get idleMs(): number {
    return performance.now() - this.#begunAtMs
  }

  /** Waits until the next page may begin, or `control` is raised. */
  async rest(control: Signal): Promise<void> {
    const restMs = this.#lingerMs - this.idleMs
    if (restMs > 0) await control.wait(restMs)
  }

  begin(): void {
    this.#begunAtMs = performance.now()
  }

  /** The page is committed. A transaction costs broker and database some milliseconds of processor, however few events it has. Where they
   *  are busy it takes longer, and the next one is begun later: a lane that keeps up is in a transaction for half of the time at most, as
   *  far as four times `pageLingerMs` allows.
   *  @param isDrained nothing was waiting behind the page */
  end(isDrained: boolean): void {
    const lingerMs = Math.max(this.#pageLingerMs, 2 * this.idleMs)
    this.#lingerMs = isDrained ? Math.min(lingerMs, 4 * this.#pageLingerMs) : 0
  }
}
