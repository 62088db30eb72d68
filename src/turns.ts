/** Runs work one after the other. Work that fails does not keep the next from its turn. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()

  /** Resolves, or rejects, as the work does, which begins when everything before it has ended. */
  async take<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work)
    this.#last = result.catch(() => undefined)
    return result
  }

  /** Resolves when everything that was begun or waits now has ended. Never rejects. */
  async ended(): Promise<void> {
    await this.#last
  }
}
