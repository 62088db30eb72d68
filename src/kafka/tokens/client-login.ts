import type { TokenListener, TokenSource } from './token-source.ts'
import { TokenFailure } from './token-failure.ts'
import type { TokenRequest } from './token-request.ts'
import { tokenSources, type TokenSources } from './token-sources.ts'

/** Longer than an endpoint may take, so that its failure is told instead. */
const tokenTimeoutMs = 15_000
const notTaken = 'The Kafka client did not take the login token.'

/** The part of a node-rdkafka client that tokens are for. */
export interface TokenClient {
  setOauthBearerToken(token: string): unknown
}

/** Gives one node-rdkafka client its tokens: the first before it connects, then each new one, which librdkafka uses when it connects again or when
 *  the broker asks for a new login.
 *
 *  node-rdkafka takes a lock for it that some of its blocking calls hold for as long as they last, and would stop the event loop meanwhile. So
 *  none is set while a call is under way. */
export class ClientLogin {
  readonly #client: TokenClient
  readonly #request: TokenRequest
  readonly #sources: TokenSources
  readonly #listener: TokenListener
  #source: TokenSource | undefined
  #calls = 0
  #latest: string | undefined
  /** The one that the client has. */
  #set: string | undefined

  /** @param onFailure gets in words why there is no new token */
  constructor(
    client: TokenClient,
    request: TokenRequest,
    onFailure: (message: string) => void,
    sources: TokenSources = tokenSources,
  ) {
    this.#client = client
    this.#request = request
    this.#sources = sources
    this.#listener = {
      onToken: ({ text }) => {
        this.#latest = text
        this.#apply()
      },
      onFailure,
    }
  }

  /** Sets the first token. To be called once, before the client connects; `end` must follow, also when this rejects.
   *  @param calledOff ends the wait for the token
   *  @throws {@link TokenFailure} */
  async begin(calledOff: AbortSignal): Promise<void> {
    this.#source = this.#sources.add(this.#request, this.#listener)
    this.#latest = (await this.#source.current(tokenTimeoutMs, calledOff)).text
    this.#apply()
    if (this.#set === undefined) throw new TokenFailure(notTaken)
  }

  /** Makes a blocking call of the client. */
  async during<Result>(call: () => Promise<Result>): Promise<Result> {
    this.#calls++
    try {
      return await call()
    } finally {
      this.#calls--
      this.#apply()
    }
  }

  /** The client is about to be disconnected, or did not come up. Repeated calls do nothing. */
  end(): void {
    if (!this.#source) return
    this.#source = undefined
    this.#sources.remove(this.#request, this.#listener)
  }

  #apply(): void {
    if (!this.#source || this.#calls > 0) return
    if (this.#latest === undefined || this.#latest === this.#set) return
    try {
      this.#client.setOauthBearerToken(this.#latest)
      this.#set = this.#latest
    } catch {
      // What it throws could quote the token.
      this.#listener.onFailure(notTaken)
    }
  }
}
