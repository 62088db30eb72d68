import { endsWithin } from '../deadline.ts'

/** Work that was repeated so often holds the view that it sees, */
const repetitionsBeforeHold = 3
/** though not for longer: whoever comes meanwhile waits for the next view. */
const defaultMaxHoldMs = 5000

/** Work that looks at a view again and again, while the view is replaced part by part now and then. */
export class OneView {
  readonly #maxHoldMs: number
  #replacing: Promise<void> | undefined
  #replacements = 0
  /** Work that the next replacement waits for. */
  readonly #holding = new Set<Promise<unknown>>()

  constructor(maxHoldMs: number = defaultMaxHoldMs) {
    this.#maxHoldMs = maxHoldMs
  }

  /** The result of work that saw the same view from its begin to its end. It is repeated otherwise.
   *
   *  Where the view is replaced all the time, long work would be repeated for ever: after some repetitions the next replacement waits for it. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    for (let repetitions = 0; ; repetitions++) {
      while (this.#replacing) await this.#replacing.catch(() => undefined)
      const replacements = this.#replacements
      const working = work()
      if (repetitions >= repetitionsBeforeHold) this.#holding.add(working)
      const result = await working.finally(() => this.#holding.delete(working))
      if (this.#replacements === replacements) return result
    }
  }

  /** One replacement at a time. Work begins again when it has ended. */
  async replace(work: () => Promise<void>): Promise<void> {
    this.#replacing = this.#replaceReleased(work)
    try {
      await this.#replacing
    } finally {
      this.#replacing = undefined
    }
  }

  async #replaceReleased(work: () => Promise<void>): Promise<void> {
    if (this.#holding.size > 0) {
      await endsWithin(Promise.allSettled(this.#holding), this.#maxHoldMs)
    }
    this.#replacements++
    await work()
  }
}
