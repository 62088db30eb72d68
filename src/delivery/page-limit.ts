/** How many events the next page may hold: shrinks to find the one record Kafka refuses, grows back with each success. */
export class PageLimit {
  readonly #maximum: number
  #current: number

  constructor(maximum: number) {
    this.#maximum = maximum
    this.#current = maximum
  }

  get current(): number {
    return this.#current
  }

  /** After a refusal that named no record, of a page with this many. */
  narrow(refusedEvents: number): void {
    this.#current = Math.max(1, Math.floor(refusedEvents / 2))
  }

  widen(): void {
    this.#current = Math.min(this.#maximum, this.#current * 2)
  }
}
