import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import type { CleanUp } from './postgres.ts'

/** One request for a token. */
export interface TokenCall {
  readonly authorization: string
  readonly body: URLSearchParams
  /** What it was given, if anything. */
  readonly token: string | undefined
}

/** An OAuth token endpoint on loopback that issues unsecured JSON web tokens, as the broker of the tests takes them. */
export class TokenEndpoint {
  readonly calls: TokenCall[] = []
  clientId = 'fhir-server'
  clientSecret = 'endpoint-secret'
  subject = 'admin'
  lifetimeSeconds = 3600
  /** Seconds that `exp` of the token is off. */
  clockSkewSeconds = 0
  /** Answers instead of issuing. */
  override: ((response: ServerResponse) => void) | undefined
  /** Last part of the token; a broker takes only an empty one. */
  signature = ''
  /** It stays the same when the endpoint is stopped. */
  readonly url: string
  readonly #server: Server
  #wake: () => void = () => undefined

  private constructor(server: Server, url: string) {
    this.#server = server
    this.url = url
  }

  static async start(t: CleanUp): Promise<TokenEndpoint> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('It does not listen.')
    const endpoint = new TokenEndpoint(server, `http://127.0.0.1:${address.port}/oauth2/token`)
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      void endpoint.#serve(request, response)
    })
    t.after?.(() => endpoint.stop())
    return endpoint
  }

  /** The texts of the tokens that were issued. */
  get tokens(): readonly string[] {
    return this.calls.flatMap(({ token }) => (token === undefined ? [] : [token]))
  }

  async untilCalls(count: number, timeoutMs = 30_000): Promise<void> {
    const endsAt = Date.now() + timeoutMs
    while (this.calls.length < count) {
      const leftMs = endsAt - Date.now()
      if (leftMs <= 0) throw new Error(`${this.calls.length} of ${count} calls came`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = new URLSearchParams(await text(request))
    const { authorization = '' } = request.headers
    const expected = `Basic ${Buffer.from(`${this.clientId}:${this.clientSecret}`).toString('base64')}`
    const isKnown = authorization === expected
    const token = isKnown && !this.override ? this.#issue() : undefined
    this.calls.push({ authorization, body, token })
    if (this.override) this.override(response)
    else if (token === undefined) {
      answerJson(response, 401, {
        error: 'invalid_client',
        error_description: `unknown client or secret ${Buffer.from(authorization.slice(6), 'base64').toString()}`,
      })
    } else {
      answerJson(response, 200, {
        access_token: token,
        token_type: 'bearer',
        expires_in: this.lifetimeSeconds,
      })
    }
    this.#wake()
  }

  #issue(): string {
    const now = Math.floor(Date.now() / 1000)
    const claims = {
      sub: this.subject,
      jti: String(this.calls.length),
      iat: now,
      exp: now + this.lifetimeSeconds + this.clockSkewSeconds,
    }
    const part = (content: object): string =>
      Buffer.from(JSON.stringify(content)).toString('base64url')
    return `${part({ alg: 'none' })}.${part(claims)}.${this.signature}`
  }
}

export function answerJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
