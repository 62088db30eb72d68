import { setImmediate as nextTurn } from 'node:timers/promises'

/** Short enough that nobody who waits for the event loop notices. */
const sliceMs = 5

/** Cuts long work into slices, so that requests are answered in between. */
export class Slices {
  #beganAtMs = performance.now()

  /** To be awaited between two pieces of work: lets the event loop turn when the slice has been used up. */
  async pause(): Promise<void> {
    if (performance.now() - this.#beganAtMs < sliceMs) return
    await nextTurn()
    this.#beganAtMs = performance.now()
  }
}
