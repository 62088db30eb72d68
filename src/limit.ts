/** Lets so many pieces of work go on at a time, in order; what is urgent comes before what is not. */
export class Limit {
  #free: number
  /** Begun before those of `#waiting`. */
  readonly #urgent = new Set<() => void>()
  readonly #waiting = new Set<() => void>()

  constructor(max: number) {
    this.#free = max
  }

  /** Resolves, or rejects, as the work does.
   *  @param abandoned ends the wait, with its reason; work that has begun goes on */
  async run<Result>(
    work: () => Promise<Result>,
    abandoned: AbortSignal,
    isUrgent = false,
  ): Promise<Result> {
    await this.#place(abandoned, isUrgent ? this.#urgent : this.#waiting)
    try {
      return await work()
    } finally {
      const [next] = this.#urgent.size > 0 ? this.#urgent : this.#waiting
      if (next) next()
      else this.#free++
    }
  }

  async #place(abandoned: AbortSignal, waiting: Set<() => void>): Promise<void> {
    abandoned.throwIfAborted()
    if (this.#free > 0) {
      this.#free--
      return
    }
    await new Promise<void>((resolve, reject) => {
      const end = (): void => {
        waiting.delete(begin)
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
      waiting.add(begin)
      abandoned.addEventListener('abort', leave)
    })
  }
}
