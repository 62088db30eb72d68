import { setTimeout as delay } from 'node:timers/promises'

/** The promise, or a failure that says what was waited for. */
export async function withDeadline<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`Waited ${ms / 1000} s for ${what}`))
    }, ms)
  })
  try {
    return await Promise.race([promise, deadline])
  } finally {
    clearTimeout(timer)
  }
}

/** Repeats until an attempt succeeds; attempts fail while what they need is down.
 *  @throws the last failure as cause, when the time is over */
export async function untilDone<T>(
  what: string,
  attempt: () => Promise<T>,
  { deadlineMs = 120_000, pauseMs = 200 }: { deadlineMs?: number; pauseMs?: number } = {},
): Promise<T> {
  for (const endsAtMs = performance.now() + deadlineMs; ;) {
    try {
      return await attempt()
    } catch (error) {
      if (performance.now() > endsAtMs) {
        const reason = error instanceof Error ? error.message : String(error)
        throw new Error(`Waited ${deadlineMs / 1000} s for ${what}: ${reason}`, { cause: error })
      }
      await delay(pauseMs)
    }
  }
}
