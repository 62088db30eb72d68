/** A page has the events of this time at the job's rate, and of the time that the job is behind. Live events wait for it: few large pages hold up
 *  fewer of them than many small ones, each of which costs a Kafka transaction. */
const pageMs = 200
/** What a job is behind more than this is not made up for. */
const maxBehindMs = 200

/** When a job has its next page, and how large it may be. */
export class JobPace {
  readonly #nowMs: () => number
  #nextAtMs: number

  /** @param nowMs a clock that only rises */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
    this.#nextAtMs = nowMs()
  }

  /** Until the next page; 0 when it is due. */
  get dueInMs(): number {
    return Math.max(0, this.#nextAtMs - this.#nowMs())
  }

  get isDue(): boolean {
    return this.dueInMs === 0
  }

  /** Events of the next page; at least one. */
  pageEvents(maxPerSecond: number): number {
    const behindMs = Math.min(Math.max(0, this.#nowMs() - this.#nextAtMs), maxBehindMs)
    return Math.max(1, Math.floor((maxPerSecond * (pageMs + behindMs)) / 1000))
  }

  /** @param count of what the page was about, sent or not
   *  @param beganMs when it was begun, by the clock */
  afterPage(count: number, maxPerSecond: number, beganMs: number): void {
    const earliestMs = Math.max(this.#nextAtMs, beganMs - maxBehindMs)
    this.#nextAtMs = earliestMs + (1000 * count) / maxPerSecond
  }

  /** @param ms absent: as long as a page */
  wait(ms: number = pageMs): void {
    this.#nextAtMs = this.#nowMs() + ms
  }
}
