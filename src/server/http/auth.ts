import { createHash, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'
import { OperationOutcomeError } from '@medplum/core'
import { TopicDestinationError } from '../../errors.ts'
import type { Principal } from '../../host/types.ts'
import { errorOutcome } from '../../rest/outcomes.ts'

export interface Credentials {
  /** Accepted as `Authorization: Bearer <token>`. */
  readonly authToken?: string | undefined
  /** `user:password`, accepted as `Authorization: Basic …`. */
  readonly basicAuth?: string | undefined
}

/** Knows the one caller this server has. Without credentials everybody is let in, see {@link assertMayListen}. */
export class Authenticator {
  /** Values of WWW-Authenticate for an answer of 401. */
  readonly challenges: readonly string[]
  readonly #accepted: readonly {
    readonly scheme: string
    readonly digest: Buffer
    readonly id: string
  }[]

  constructor({ authToken, basicAuth }: Credentials) {
    const bearer =
      authToken === undefined ? [] : [{ scheme: 'bearer', secret: authToken, id: 'bearer' }]
    const basic = basicAuth === undefined ? [] : [basicCredential(basicAuth)]
    this.#accepted = [...bearer, ...basic].map(({ scheme, secret, id }) => ({
      scheme,
      id,
      digest: digest(secret),
    }))
    this.challenges = [
      ...(authToken === undefined ? [] : ['Bearer realm="fhir"']),
      ...(basicAuth === undefined ? [] : ['Basic realm="fhir", charset="UTF-8"']),
    ]
  }

  get isRequired(): boolean {
    return this.#accepted.length > 0
  }

  /** Whose credentials these are; undefined when they are none of this server's. */
  identify(authorization: string | undefined): Principal | undefined {
    if (!this.isRequired) return undefined
    const [, scheme = '', secret = ''] = /^(\S+) +(\S+) *$/.exec(authorization ?? '') ?? []
    const presented = digest(secret)
    // Every credential is compared, and as digests of one length: the time taken says nothing about the secret.
    const matching = this.#accepted.filter(
      (accepted) =>
        timingSafeEqual(accepted.digest, presented) && accepted.scheme === scheme.toLowerCase(),
    )
    const [match] = matching
    return match && { id: match.id }
  }

  /** @throws OperationOutcomeError `unauthorized` (401) */
  authenticate(authorization: string | undefined): Principal | undefined {
    const principal = this.identify(authorization)
    this.authorize(principal)
    return principal
  }

  /** Whether the caller has shown credentials, or none are asked for. */
  accepts(authorization: string | undefined): boolean {
    return !this.isRequired || this.identify(authorization) !== undefined
  }

  /** @throws OperationOutcomeError `unauthorized` (401) when credentials are configured and the caller has shown none */
  authorize(principal: Principal | undefined): void {
    if (this.isRequired && !principal) throw unauthorizedError()
  }
}

/** Without credentials only this machine may reach the server.
 *  @throws TopicDestinationError `KTD_INVALID_OPTION` */
export function assertMayListen(host: string, authenticator: Authenticator): void {
  if (authenticator.isRequired || isLoopback(host)) return
  throw new TopicDestinationError(
    'KTD_INVALID_OPTION',
    `Refusing to listen on ${host} without authentication: set AUTH_TOKEN or BASIC_AUTH (options authToken, basicAuth), ` +
      'or listen on 127.0.0.1.',
  )
}

/** Whether only this machine can mean the address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

function basicCredential(basicAuth: string): { scheme: string; secret: string; id: string } {
  const separator = basicAuth.indexOf(':')
  if (separator < 1) {
    throw new TopicDestinationError(
      'KTD_INVALID_OPTION',
      'basicAuth must have the form user:password.',
    )
  }
  const secret = Buffer.from(basicAuth, 'utf8').toString('base64')
  return { scheme: 'basic', secret, id: basicAuth.slice(0, separator) }
}

function digest(secret: string): Buffer {
  return createHash('sha256').update(secret, 'utf8').digest()
}

function unauthorizedError(): OperationOutcomeError {
  return new OperationOutcomeError(
    errorOutcome(
      'unauthorized',
      'login',
      'This server asks for a bearer token or basic authentication.',
    ),
  )
}
