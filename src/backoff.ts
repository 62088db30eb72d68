/** Capped exponential back-off. Its upper half is by chance, so that those who failed together do not come back all at once.
 *
 *  @param attempt 1 for the first failure
 *  @param random number in [0, 1)
 *  @returns milliseconds: half of `firstMs` to all of it after the first failure, doubling up to `longestMs` */
export function jitteredMs(
  attempt: number,
  firstMs: number,
  longestMs: number,
  random: () => number = Math.random,
): number {
  return Math.min(firstMs * 2 ** (attempt - 1), longestMs) * (0.5 + random() / 2)
}

/** Longest wait after so many failures, of what waits for the database or Kafka. */
export function longestBackoffMs(attempt: number): number {
  return Math.min(firstBackoffMs * 2 ** (attempt - 1), maxBackoffMs)
}

const firstBackoffMs = 100
const maxBackoffMs = 30_000

/** {@link jitteredMs} of what waits for the database or Kafka: 50 to 100 milliseconds after the first failure, up to 15,000 to 30,000. */
export function backoffMs(attempt: number, random?: () => number): number {
  return Math.round(jitteredMs(attempt, firstBackoffMs, maxBackoffMs, random))
}
