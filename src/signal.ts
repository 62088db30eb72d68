/** A level-triggered wake-up for one waiter: a `raise` before the `wait` is not lost. */
export class Signal {
  #raised = false
  #resolve: (() => void) | undefined

  raise(): void {
    this.#raised = true
    this.#resolve?.()
  }

  /** Resolves when raised, at the latest after `timeoutMs`. Takes the signal down.
   *  @param timeoutMs absent: only when raised */
  async wait(timeoutMs?: number): Promise<void> {
    if (!this.#raised) {
      await new Promise<void>((resolve) => {
        const timer = timeoutMs === undefined ? undefined : setTimeout(resolve, timeoutMs)
        this.#resolve = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      this.#resolve = undefined
    }
    this.#raised = false
  }
}
