import { setImmediate as nextTurn } from 'node:timers/promises'

/** Short enough that nobody who waits for the event loop notices. */
const sliceMs = 5

export interface SlicesOptions {
  /** Milliseconds since any beginning. Default: of the process's monotonic clock. */
  readonly now?: () => number
  /** Ends the work at its next pause. */
  readonly signal?: AbortSignal
}

/** Cuts long work into slices, so that requests are answered in between. */
export class Slices {
  readonly #now: () => number
  readonly #signal: AbortSignal | undefined
  #beganAtMs: number

  constructor({ now = () => performance.now(), signal }: SlicesOptions = {}) {
    this.#now = now
    this.#signal = signal
    this.#beganAtMs = now()
  }

  /** To be awaited between two pieces of work: lets the event loop turn when the slice has been used up.
   *
   *  @throws the reason of the signal, once that is aborted */
  async pause(): Promise<void> {
    this.#signal?.throwIfAborted()
    if (this.#now() - this.#beganAtMs < sliceMs) return
    await nextTurn()
    this.#beganAtMs = this.#now()
  }
}
