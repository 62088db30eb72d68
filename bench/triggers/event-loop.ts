/** Longest time that the event loop did not turn while the work was done, in milliseconds. */
export async function longestBlockMs(work: () => Promise<unknown>): Promise<number> {
  let longestMs = 0
  let turnedAtMs = performance.now()
  let isDone = false
  const turn = (): void => {
    const nowMs = performance.now()
    longestMs = Math.max(longestMs, nowMs - turnedAtMs)
    turnedAtMs = nowMs
    if (!isDone) setImmediate(turn)
  }
  setImmediate(turn)
  try {
    await work()
  } finally {
    isDone = true
  }
  return Math.max(longestMs, performance.now() - turnedAtMs)
}
