import { delayAfterMs, type RetryPolicy } from './retry-policy.ts'

/** The partition of the retry topic that a record waits on.
 *
 *  Records of one delay are due in the order in which they stand, so each length of delay has partitions of its own: nobody waits behind
 *  a record that is due later. Where there are fewer partitions than lengths, neighbouring lengths share one, and `nextOf` sees to it that
 *  none waits for a longer one.
 *  @param failedAttempts one at least
 *  @param partitions of the retry topic, one at least
 *  @param spread number that tells records of one delay apart: of the key, so that a key stays on a partition */
export function retryPartition(
  policy: RetryPolicy,
  failedAttempts: number,
  partitions: number,
  spread: number,
): number {
  const lengths = [...new Set(policy.delaysMs)].toSorted((a, b) => a - b)
  const index = lengths.indexOf(delayAfterMs(policy, failedAttempts))
  if (partitions <= lengths.length) return Math.floor((index * partitions) / lengths.length)
  // index, index + lengths, index + 2 * lengths, …
  const own = Math.ceil((partitions - index) / lengths.length)
  return index + lengths.length * (spread % own)
}

/** FNV-1a of the bytes, 32 bits. */
export function hashOf(bytes: Buffer): number {
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash
}
