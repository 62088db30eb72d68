import type { RetryPolicyEntry } from '../topology/document.ts'
import { durationMs } from '../topology/duration.ts'
import { TopologyError } from '../topology/finding.ts'

export interface RetryPolicy {
  /** After the first one; Infinity: no limit. */
  readonly attempts: number
  /** From the begin of the first attempt to that of the last one, in milliseconds; Infinity: no limit. */
  readonly maxAgeMs: number
  /** One at least; the last one counts for all further attempts. */
  readonly delaysMs: readonly number[]
  /** Share of a delay that is drawn by chance, 0 to 1. */
  readonly jitter: number
  readonly then: NonNullable<RetryPolicyEntry['then']>
  readonly deadOn: ReadonlySet<string>
}

export interface FailedAttempt {
  /** With this one. */
  readonly failedAttempts: number
  readonly firstSeenMs: number
  readonly errorClass: string
  readonly nowMs: number
}

/** A policy of a file, in milliseconds.
 *  @throws {@link TopologyError} when it does not wait, end, or say what comes then */
export function retryPolicyOf(name: string, entry: RetryPolicyEntry): RetryPolicy {
  const { attempts = Infinity, maxAge, delays = [], jitter = 0, then, deadOn = [] } = entry
  const delaysMs = delays.map((delay) => milliseconds(name, delay))
  const maxAgeMs = maxAge === undefined ? Infinity : milliseconds(name, maxAge)
  if (
    delaysMs.length === 0 ||
    then === undefined ||
    (attempts === Infinity && maxAgeMs === Infinity)
  ) {
    throw new TopologyError(
      `The retry policy "${name}" cannot be followed: it needs delays, an end (attempts or maxAge), and then.`,
    )
  }
  return { attempts, maxAgeMs, delaysMs, jitter, then, deadOn: new Set(deadOn) }
}

function milliseconds(policy: string, duration: string): number {
  const found = durationMs(duration)
  if (found !== undefined) return found
  throw new TopologyError(`The retry policy "${policy}" has "${duration}", which is no duration.`)
}

/** The delay before the attempt that follows on so many that have failed, without jitter. */
export function delayAfterMs({ delaysMs }: RetryPolicy, failedAttempts: number): number {
  return delaysMs[Math.min(Math.max(failedAttempts, 1), delaysMs.length) - 1] ?? 0
}

/** When the next attempt is due; undefined when there is none. An attempt that is due later than `maxAge` allows is not waited for.
 *  @param random number in [0, 1)
 *  @returns milliseconds since 1970 */
export function nextAttemptMs(
  policy: RetryPolicy,
  { failedAttempts, firstSeenMs, errorClass, nowMs }: FailedAttempt,
  random: () => number,
): number | undefined {
  if (policy.deadOn.has(errorClass) || failedAttempts > policy.attempts) return undefined
  const delayMs = delayAfterMs(policy, failedAttempts) * (1 - policy.jitter * random())
  const dueMs = nowMs + Math.round(delayMs)
  return dueMs > firstSeenMs + policy.maxAgeMs ? undefined : dueMs
}

const maxErrorClassLength = 100

/** `code` of an error, else the name of its class. Never its message. */
export function errorClassOf(error: unknown): string {
  const { code, name, constructor } = Object(error) as {
    code?: unknown
    name?: unknown
    constructor?: { name?: unknown }
  }
  const named = typeof name === 'string' && name !== 'Error' ? name : constructor?.name
  const text = typeof code === 'string' || typeof code === 'number' ? code : named
  const cut = String(text).slice(0, maxErrorClassLength)
  return cut.replaceAll(/[^\w.:/-]/g, '_') || 'unknown'
}
