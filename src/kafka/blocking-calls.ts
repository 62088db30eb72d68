/** `connect` may take seconds while a cluster is away; `transaction` is a call of a producer that has been connected. */
export type BlockingCallKind = 'connect' | 'transaction'

interface Waiting {
  readonly kind: BlockingCallKind
  readonly start: () => void
}

/** Lets at most `maxCalls` blocking librdkafka calls run at a time, and only one of them a `connect`.
 *
 *  Such a call holds one of libuv's four threads, which file access, DNS look-up and with it every new database connection share: four
 *  connects to a dead broker would stop the whole server for as long as they last. A dead cluster must not hold up the commits of a
 *  healthy one either, hence the second limit. */
export class BlockingCalls {
  readonly #maxCalls: number
  readonly #waiting: Waiting[] = []
  #running = 0
  #connecting = 0

  constructor(maxCalls: number) {
    this.#maxCalls = maxCalls
  }

  async run<Result>(kind: BlockingCallKind, call: () => Promise<Result>): Promise<Result> {
    await new Promise<void>((start) => {
      this.#waiting.push({ kind, start })
      this.#startNext()
    })
    try {
      return await call()
    } finally {
      this.#running--
      if (kind === 'connect') this.#connecting--
      this.#startNext()
    }
  }

  #startNext(): void {
    while (this.#running < this.#maxCalls) {
      const index = this.#waiting.findIndex(
        ({ kind }) => kind !== 'connect' || this.#connecting === 0,
      )
      const next = index < 0 ? undefined : this.#waiting.splice(index, 1)[0]
      if (!next) return
      this.#running++
      if (next.kind === 'connect') this.#connecting++
      next.start()
    }
  }
}

/** The process has one thread pool, so it has one of these. */
export const blockingCalls: BlockingCalls = new BlockingCalls(2)
