import { jitteredMs } from '../../backoff.ts'
import { deadline, unlessAborted } from '../../deadline.ts'
import type { FetchToken, LoginToken } from './login-token.ts'
import { TokenFailure } from './token-failure.ts'

/** One client that is logged in with the tokens. Neither call may throw: the other clients come after it. */
export interface TokenListener {
  /** Each new token. */
  onToken(token: LoginToken): void
  /** Why there is no new one, in words. The last one still holds until it expires. */
  onFailure(message: string): void
}

export interface TokenSourceParts {
  readonly fetchToken: FetchToken
  /** Longest wait between two tries, as far as it is not shorter than {@link leastWaitMs}. */
  readonly maxBackoffMs?: number
  /** Milliseconds since the epoch. */
  readonly now?: () => number
  readonly random?: () => number
}

/** A broker ends a connection whose token has expired, so the next one must be there in time for the login to be repeated. */
const usedLifetime = 0.8
const firstBackoffMs = 2000
/** From a fetch to the next one, whatever a lifetime or an option says: whoever issues tokens is not to be flooded. */
const leastWaitMs = 1000
/** Then a fetch has failed, whatever becomes of it. Providers of credentials may hang; a token endpoint is given up before, and a client waits for its
 *  first token for longer, so that each is told as what it is. */
const fetchTimeoutMs = 12_000
/** Timers of Node cannot wait for longer. */
const maxTimerMs = 2_147_483_647

/** Keeps a token fresh for as long as somebody listens: the next one is fetched when 80 % of the lifetime are over, and after a failure again and
 *  again, with back-off. */
export class TokenSource {
  readonly #parts: Required<TokenSourceParts>
  readonly #listeners = new Set<TokenListener>()
  #token: LoginToken | undefined
  #failure: TokenFailure | undefined
  #failures = 0
  #timer: NodeJS.Timeout | undefined
  #fetching = new AbortController()
  /** Wakes whoever waits for a token: there is one, or why there is none. */
  readonly #waiting = new Set<() => void>()

  constructor(parts: TokenSourceParts) {
    this.#parts = { maxBackoffMs: 10_000, now: Date.now, random: Math.random, ...parts }
  }

  get isUsed(): boolean {
    return this.#listeners.size > 0
  }

  /** With the first listener it begins. */
  add(listener: TokenListener): void {
    const isFirst = !this.isUsed
    this.#listeners.add(listener)
    if (!isFirst) return
    this.#fetching = new AbortController()
    void this.#fetch(this.#fetching.signal)
  }

  /** With the last listener it ends. */
  remove(listener: TokenListener): void {
    this.#listeners.delete(listener)
    if (this.isUsed) return
    this.#fetching.abort()
    clearTimeout(this.#timer)
    this.#token = undefined
    this.#wake()
  }

  /** A token that has not expired, waited for if need be.
   *  @param calledOff ends the wait
   *  @throws {@link TokenFailure} why there is none within `timeoutMs` */
  async current(timeoutMs: number, calledOff: AbortSignal): Promise<LoginToken> {
    const deadlineMs = performance.now() + timeoutMs
    while (this.isUsed && !calledOff.aborted) {
      const token = this.#usableToken()
      if (token) return token
      const leftMs = deadlineMs - performance.now()
      // A first try that fails is told at once: whoever asked has a back-off of its own.
      if (this.#failure || leftMs <= 0) break
      await this.#change(leftMs, calledOff)
    }
    throw this.#failure ?? new TokenFailure('The login token did not come in time.')
  }

  #usableToken(): LoginToken | undefined {
    const token = this.#token
    return token && token.expiresAtMs > this.#parts.now() ? token : undefined
  }

  async #change(timeoutMs: number, calledOff: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        calledOff.removeEventListener('abort', done)
        this.#waiting.delete(done)
        resolve()
      }
      const timer = setTimeout(done, timeoutMs)
      calledOff.addEventListener('abort', done)
      this.#waiting.add(done)
    })
  }

  #wake(): void {
    for (const done of this.#waiting) done()
  }

  async #fetch(signal: AbortSignal): Promise<void> {
    const nowMs = this.#parts.now()
    try {
      const token = await this.#fetchInTime(signal)
      if (signal.aborted) return
      if (token.expiresAtMs <= nowMs) {
        throw new TokenFailure(
          'The login token that was issued has expired already; check the clocks of this server and of the issuer.',
        )
      }
      this.#take(token)
      this.#fetchIn((token.expiresAtMs - nowMs) * usedLifetime, signal)
    } catch (error) {
      if (signal.aborted) return
      this.#fail(error)
      const { maxBackoffMs, random } = this.#parts
      this.#fetchIn(jitteredMs(this.#failures, firstBackoffMs, maxBackoffMs, random), signal)
    } finally {
      if (!signal.aborted) this.#wake()
    }
  }

  async #fetchInTime(stopped: AbortSignal): Promise<LoginToken> {
    const until = deadline(fetchTimeoutMs, stopped)
    try {
      return await unlessAborted(this.#parts.fetchToken(until.signal), until.signal)
    } catch (error) {
      if (!until.signal.aborted) throw error
      throw new TokenFailure(
        `There was no login token within ${fetchTimeoutMs} ms: whoever issues it does not answer.`,
      )
    } finally {
      until.dispose()
    }
  }

  #take(token: LoginToken): void {
    this.#token = token
    this.#failure = undefined
    this.#failures = 0
    for (const listener of this.#listeners) listener.onToken(token)
  }

  #fail(error: unknown): void {
    this.#failure =
      error instanceof TokenFailure
        ? error
        : new TokenFailure('The login token could not be fetched.', { cause: error })
    this.#failures++
    for (const listener of this.#listeners) listener.onFailure(this.#failure.message)
  }

  #fetchIn(delayMs: number, signal: AbortSignal): void {
    this.#timer = setTimeout(
      () => {
        void this.#fetch(signal)
      },
      Math.min(Math.max(delayMs, leastWaitMs), maxTimerMs),
    )
    this.#timer.unref()
  }
}
