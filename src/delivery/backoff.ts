/** Capped exponential back-off with full jitter in its upper half.
 *
 *  @param attempt 1 for the first failure
 *  @param random number in [0, 1)
 *  @returns milliseconds: 50 to 100 after the first failure, doubling up to 15,000 to 30,000 */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const ceilingMs = Math.min(100 * 2 ** (attempt - 1), 30_000)
  return Math.round(ceilingMs * (0.5 + random() / 2))
}
