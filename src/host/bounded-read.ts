import type { FhirHost } from './types.ts'

export interface ReadBounds {
  readonly timeoutMs: number
  /** Nobody waits for the answer any more. */
  readonly signal: AbortSignal
}

/** The host's read, given up when it takes too long or the signal is aborted: it rejects, and what the host answers later is dropped. */
export function boundedRead(
  read: FhirHost['read'],
  { timeoutMs, signal }: ReadBounds,
): FhirHost['read'] {
  return async (references, tx) => {
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
      return await Promise.race([read(references, tx), givenUp])
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    }
  }
}
