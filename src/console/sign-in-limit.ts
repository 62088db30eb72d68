import { isIP } from 'node:net'
import { ConsoleError } from './console-error.ts'

const windowMs = 60_000
const maxFailuresOfNetwork = 10
/** Of all: more addresses do not help, and no more are remembered. */
const maxFailures = 200

/** Bounds how often somebody can guess, in each minute and in the memory of this process. */
export class SignInLimit {
  readonly #byNetwork = new Map<string, number>()
  #beganAtMs = Number.NEGATIVE_INFINITY
  #failures = 0

  /** Counts an attempt as failed, before it is known, so that many at once gain nothing.
   *  @returns says that it has succeeded
   *  @throws ConsoleError 429 */
  begin(address: string, nowMs: number): () => void {
    const network = networkOf(address)
    // A clock may be set back.
    if (nowMs < this.#beganAtMs || nowMs - this.#beganAtMs >= windowMs) {
      this.#beganAtMs = nowMs
      this.#failures = 0
      this.#byNetwork.clear()
    }
    const failures = this.#byNetwork.get(network) ?? 0
    if (failures >= maxFailuresOfNetwork || this.#failures >= maxFailures) {
      const seconds = String(Math.ceil((this.#beganAtMs + windowMs - nowMs) / 1000))
      throw new ConsoleError(
        429,
        `Too many sign-ins have failed; try again in ${seconds} seconds.`,
        { 'retry-after': seconds },
      )
    }
    this.#add(network, 1)
    return () => {
      if (this.#byNetwork.has(network)) this.#add(network, -1)
    }
  }

  #add(network: string, count: 1 | -1): void {
    const failures = (this.#byNetwork.get(network) ?? 0) + count
    this.#failures += count
    if (failures > 0) this.#byNetwork.set(network, failures)
    else this.#byNetwork.delete(network)
  }
}

/** Whoever has an address of IPv6 has all of its network of 64 bits. */
function networkOf(address: string): string {
  if (isIP(address) !== 6 || address.includes('.')) return address
  const [head = ''] = address.split('::')
  return head.split(':').slice(0, 4).join(':')
}
