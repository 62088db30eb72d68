export interface ReadBounds {
  readonly timeoutMs: number
  /** Nobody waits for the answer any more. */
  readonly signal: AbortSignal
}

/** A read of the host, given up when it takes too long or the signal is aborted: it rejects, and what the host answers later is dropped. */
export function boundedRead<Asked extends readonly unknown[], Answer>(
  read: (...asked: Asked) => Promise<Answer>,
  { timeoutMs, signal }: ReadBounds,
): (...asked: Asked) => Promise<Answer> {
  return async (...asked) => {
    let timer: NodeJS.Timeout | undefined
    let onAbort = (): void => undefined
    const givenUp = new Promise<never>((_resolve, reject) => {
      onAbort = () => {
        reject(new Error('the module stops'))
      }
      signal.addEventListener('abort', onAbort)
      if (signal.aborted) onAbort()
      timer = setTimeout(() => {
        reject(new Error(`the host has not answered within ${timeoutMs} ms`))
      }, timeoutMs)
    })
    try {
      return await Promise.race([read(...asked), givenUp])
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    }
  }
}
