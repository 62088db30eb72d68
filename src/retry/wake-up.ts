const longestTimerMs = 86_400_000

/** Lets one loop wait for others. A call that comes before the wait is not lost. */
export class WakeUp {
  #isCalled = false
  #end: (() => void) | undefined

  call(): void {
    this.#isCalled = true
    this.#end?.()
  }

  /** Ends with the next call, or after the time; Infinity: with a call alone. */
  async wait(timeoutMs: number = Infinity): Promise<void> {
    if (!this.#isCalled) {
      let timer: NodeJS.Timeout | undefined
      await new Promise<void>((resolve) => {
        this.#end = resolve
        if (timeoutMs !== Infinity) timer = setTimeout(resolve, Math.min(timeoutMs, longestTimerMs))
      })
      clearTimeout(timer)
      this.#end = undefined
    }
    this.#isCalled = false
  }
}
