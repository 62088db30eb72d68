/** Lets so many pieces of work go on at a time, in order. */
export class Limit {
  #free: number
  readonly #waiting = new Set<() => void>()

  constructor(max: number) {
    this.#free = max
  }

  /** Resolves, or rejects, as the work does.
   *  @param abandoned ends the wait, with its reason; work that has begun goes on */
  async run<Result>(work: () => Promise<Result>, abandoned: AbortSignal): Promise<Result> {
    await this.#place(abandoned)
    try {
      return await work()
    } finally {
      const [next] = this.#waiting
      if (next) next()
      else this.#free++
    }
  }

  async #place(abandoned: AbortSignal): Promise<void> {
    abandoned.throwIfAborted()
    if (this.#free > 0) {
      this.#free--
      return
    }
    await new Promise<void>((resolve, reject) => {
      const end = (): void => {
        this.#waiting.delete(begin)
        abandoned.removeEventListener('abort', leave)
      }
      const begin = (): void => {
        end()
        resolve()
      }
      const leave = (): void => {
        end()
        reject(abandoned.reason as Error)
      }
      this.#waiting.add(begin)
      abandoned.addEventListener('abort', leave)
    })
  }
}
