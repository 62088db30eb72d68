import { isDeepStrictEqual, inspect } from 'node:util'

/** A host that breaks a promise. The message says what to change, then what was seen. */
export class HostConformanceError extends Error {
  override readonly name = 'HostConformanceError'
}

/** @param advice what the author of the host is to change */
export function expect(isKept: boolean, advice: string, seen?: unknown): asserts isKept {
  if (isKept) return
  throw new HostConformanceError(
    seen === undefined ? advice : `${advice}\n  seen: ${inspect(seen, { depth: 8 })}`,
  )
}

export function expectEqual(actual: unknown, expected: unknown, advice: string): void {
  if (isDeepStrictEqual(asJson(actual), asJson(expected))) return
  throw new HostConformanceError(
    `${advice}\n  expected: ${inspect(expected, { depth: 8 })}\n  seen:     ${inspect(actual, { depth: 8 })}`,
  )
}

/** @returns the error that `promise` rejects with */
export async function expectRejection(promise: Promise<unknown>, advice: string): Promise<unknown> {
  const settled = await settle(promise)
  expect(settled.status === 'rejected', advice)
  return settled.reason
}

export async function settle<T>(promise: Promise<T>): Promise<PromiseSettledResult<T>> {
  const [settled] = await Promise.allSettled([promise])
  return settled
}

/** Elements that are `undefined` are not there, as in JSON. */
function asJson(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value))
}
