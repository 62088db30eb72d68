import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Principal } from '../../host/types.ts'
import type { ConsoleCaller, ConsoleSignIn } from '../../console/console-options.ts'
import { isLoopback, type Authenticator, type Credentials } from './auth.ts'

/** Path of the console, beside /fhir. */
export const consolePath = '/console'

const cookieName = 'fhir_console'
/** A night shift. */
const sessionMs = 12 * 3_600_000

interface ConsoleRequest extends IncomingMessage {
  /** Whether the client speaks TLS, with us or with a trusted proxy. */
  readonly secure?: boolean
  readonly hostname?: string
}

export interface ServerConsoleParts extends Credentials {
  readonly authenticator: Authenticator
  /** Base URL of the FHIR service. */
  readonly baseUrl: () => string
}

/** Who may use the console: whoever may use the FHIR service. A browser shows the token once and gets a cookie, which scripts cannot read and other sites
 *  cannot send. It holds an end and a signature, made with a key out of the server's credentials: every node takes it, and it ends when they change. */
export class ServerConsole implements ConsoleSignIn<ConsoleRequest> {
  readonly #parts: ServerConsoleParts
  readonly #key: Buffer

  constructor(parts: ServerConsoleParts) {
    this.#parts = parts
    const { authToken = '', basicAuth = '' } = parts
    this.#key = createHmac('sha256', JSON.stringify([authToken, basicAuth]))
      .update('session of the console')
      .digest()
  }

  authorize(request: ConsoleRequest): ConsoleCaller | undefined {
    const { authenticator } = this.#parts
    if (!authenticator.isRequired) {
      return this.#isForThisServer(request) ? { mayWrite: true } : undefined
    }
    const principal =
      this.#signedIn(request) ?? authenticator.identify(request.headers.authorization)
    return principal && { principal, mayWrite: true }
  }

  open(secret: string, cookiePath: string, request: ConsoleRequest): string | undefined {
    const { authenticator } = this.#parts
    const principal =
      authenticator.identify(`Bearer ${secret}`) ??
      authenticator.identify(`Basic ${Buffer.from(secret, 'utf8').toString('base64')}`)
    if (!principal) return undefined
    const claims = {
      id: principal.id,
      endsAt: Date.now() + sessionMs,
      nonce: randomBytes(9).toString('base64url'),
    }
    const text = Buffer.from(JSON.stringify(claims)).toString('base64url')
    const value = `${text}.${this.#signatureOf(text).toString('base64url')}`
    return this.#cookie(value, sessionMs / 1000, cookiePath, request)
  }

  close(cookiePath: string, request: ConsoleRequest): string {
    return this.#cookie('', 0, cookiePath, request)
  }

  #cookie(value: string, maxAge: number, path: string, request: ConsoleRequest): string {
    const isTls = request.secure === true || this.#parts.baseUrl().startsWith('https:')
    return [
      `${cookieName}=${value}`,
      `Path=${path}`,
      `Max-Age=${maxAge}`,
      'HttpOnly',
      'SameSite=Strict',
      ...(isTls ? ['Secure'] : []),
    ].join('; ')
  }

  #signedIn({ headers }: ConsoleRequest): Principal | undefined {
    const pattern = new RegExp(`(?:^|; *)${cookieName}=([\\w-]+)\\.([\\w-]+)`)
    const [, text = '', signature = ''] = pattern.exec(headers.cookie ?? '') ?? []
    const [given, right] = [Buffer.from(signature, 'base64url'), this.#signatureOf(text)]
    if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined
    const { id, endsAt } = JSON.parse(Buffer.from(text, 'base64url').toString()) as {
      id: string
      endsAt: number
    }
    return endsAt > Date.now() ? { id } : undefined
  }

  #signatureOf(text: string): Buffer {
    return createHmac('sha256', this.#key).update(text).digest()
  }

  /** Without credentials a page of another site could have its own name point to this machine. It may write the header by which a proxy names the
   *  host, but not Host. */
  #isForThisServer({ headers, hostname = '' }: ConsoleRequest): boolean {
    const direct = `http://${headers.host ?? ''}`
    return (
      URL.canParse(direct) &&
      [new URL(direct).hostname, hostname].every((name) => this.#isOwnHost(name))
    )
  }

  #isOwnHost(hostname: string): boolean {
    const bare = hostname.replace(/^\[|\]$/g, '')
    return isLoopback(bare) || bare === new URL(this.#parts.baseUrl()).hostname
  }
}
