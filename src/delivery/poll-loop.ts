import { Signal } from '../signal.ts'

export interface PollLoopParts {
  /** Longest time between two rounds, in ms, a fifth more or less. */
  readonly intervalMs: number
  readonly work: () => Promise<void>
  /** The next round comes all the same. */
  readonly onError: (error: unknown) => void
}

/** Does its work when woken and from time to time, one round after the other. */
export class PollLoop {
  readonly #parts: PollLoopParts
  readonly #signal = new Signal()
  #isStopping = false
  #loop: Promise<void> | undefined

  constructor(parts: PollLoopParts) {
    this.#parts = parts
  }

  start(): void {
    this.#loop = this.#run()
  }

  wake(): void {
    this.#signal.raise()
  }

  /** Resolves when the round under way has ended. */
  async stop(): Promise<void> {
    this.#isStopping = true
    this.#signal.raise()
    await this.#loop
  }

  async #run(): Promise<void> {
    const { intervalMs, work, onError } = this.#parts
    while (!this.#isStopping) {
      await work().catch(onError)
      // Jitter, so that the nodes of a cluster do not ask in step.
      await this.#signal.wait(intervalMs * (0.8 + Math.random() * 0.4))
    }
  }
}
