/** What a broker is shown. Never log it. */
export interface LoginToken {
  readonly text: string
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number
}

/** Gets a new token.
 *  @throws {@link TokenFailure} and only that */
export type FetchToken = (signal: AbortSignal) => Promise<LoginToken>
