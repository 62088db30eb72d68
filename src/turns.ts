import { unlessAborted } from './deadline.ts'

/** Runs work one after the other. Work that fails does not keep the next from its turn. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()

  /** Resolves, or rejects, as the work does, which begins when everything before it has ended.
   *  @param abandoned ends the wait, with its reason; work that has begun goes on, and no other begins */
  async take<Result>(work: () => Promise<Result>, abandoned?: AbortSignal): Promise<Result> {
    const result = this.#last.then(() => {
      abandoned?.throwIfAborted()
      return work()
    })
    this.#last = result.catch(() => undefined)
    return abandoned ? unlessAborted(result, abandoned) : result
  }

  /** Resolves when everything that was begun or waits now has ended. Rejects when that is `abandoned`. */
  async ended(abandoned?: AbortSignal): Promise<void> {
    await (abandoned ? unlessAborted(this.#last, abandoned) : this.#last)
  }
}
