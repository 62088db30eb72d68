import * as oauth from 'oauth4webapi'
import { deadline } from '../../deadline.ts'
import type { LoginToken } from './login-token.ts'
import { TokenFailure } from './token-failure.ts'
import type { ClientCredentialsRequest } from './token-request.ts'

const answerTimeoutMs = 10_000
/** Where neither the answer nor the token says when it expires. */
const assumedLifetimeMs = 300_000
/** https://www.rfc-editor.org/rfc/rfc6750#section-2.1 */
const bearerToken = /^[\w~+/.-]+=*$/

/** Asks an OAuth token endpoint for a token, as a client with a secret. Redirects are not followed.
 *  @param nowMs milliseconds since the epoch
 *  @throws {@link TokenFailure} */
export async function clientCredentialsToken(
  request: ClientCredentialsRequest,
  signal: AbortSignal,
  nowMs: number,
): Promise<LoginToken> {
  try {
    return await fetchToken(request, signal, nowMs)
  } catch (error) {
    throw error instanceof TokenFailure ? error : failureOf(error, request)
  }
}

async function fetchToken(
  { endpointUrl, clientId, clientSecret, scope }: ClientCredentialsRequest,
  signal: AbortSignal,
  nowMs: number,
): Promise<LoginToken> {
  const server: oauth.AuthorizationServer = { issuer: endpointUrl, token_endpoint: endpointUrl }
  const client: oauth.Client = { client_id: clientId }
  const until = deadline(answerTimeoutMs, signal)
  const answer = await oauth
    .clientCredentialsGrantRequest(
      server,
      client,
      basicAuthentication(clientSecret),
      scope === undefined ? {} : { scope },
      {
        signal: until.signal,
        // The operator has allowed the URL as it is; the library calls the option deprecated only to make it stand out.
        // oxlint-disable-next-line typescript/no-deprecated
        [oauth.allowInsecureRequests]: endpointUrl.startsWith('http:'),
      },
    )
    .then((response) => oauth.processClientCredentialsResponse(server, client, response))
    .finally(until.dispose)
  const text = answer.access_token
  if (!bearerToken.test(text)) {
    throw new TokenFailure(
      `${tokenEndpoint(endpointUrl)} answered with a token that is not a bearer token.`,
    )
  }
  return { text, expiresAtMs: nowMs + lifetimeMs(answer.expires_in, text, nowMs) }
}

/** Encodes as little as RFC 6749 (2.3.1) leaves room for. The usual ids and secrets go as they are, as from Java clients: many endpoints decode
 *  nothing, and would not know the `%2D` that the library's own form makes of a hyphen. */
function basicAuthentication(clientSecret: string): oauth.ClientAuth {
  return (_server, { client_id: clientId }, _body, headers) => {
    headers.set('authorization', `Basic ${credentialsOf(clientId, clientSecret)}`)
  }
}

function credentialsOf(clientId: string, clientSecret: string): string {
  const pair = `${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`
  return Buffer.from(pair).toString('base64')
}

/** The shorter of what answer and token say. */
function lifetimeMs(expiresInSeconds: number | undefined, token: string, nowMs: number): number {
  const expiresAtMs = expiryOf(token)
  const lifetimesMs = [
    ...(expiresInSeconds === undefined ? [] : [expiresInSeconds * 1000]),
    ...(expiresAtMs === undefined ? [] : [expiresAtMs - nowMs]),
  ]
  return lifetimesMs.length === 0 ? assumedLifetimeMs : Math.min(...lifetimesMs)
}

/** Milliseconds since the epoch, of a JSON web token that says it; other tokens are opaque. */
function expiryOf(token: string): number | undefined {
  try {
    const claims: unknown = JSON.parse(
      Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'),
    )
    if (typeof claims !== 'object' || claims === null || !('exp' in claims)) return undefined
    return typeof claims.exp === 'number' ? claims.exp * 1000 : undefined
  } catch {
    return undefined
  }
}

function failureOf(error: unknown, request: ClientCredentialsRequest): TokenFailure {
  return new TokenFailure(`${tokenEndpoint(request.endpointUrl)} ${reasonOf(error, request)}.`)
}

/** Without a query, which could hold anything. */
function tokenEndpoint(url: string): string {
  const { origin, pathname } = new URL(url)
  return `The token endpoint ${origin}${pathname}`
}

function reasonOf(error: unknown, request: ClientCredentialsRequest): string {
  if (error instanceof oauth.ResponseBodyError) {
    const { error: code, error_description: description } = error
    const detail = description === undefined ? '' : ` (${said(description, request)})`
    return `refused the client: ${said(code, request)}${detail}; check clientId, clientSecret and scope`
  }
  if (error instanceof oauth.WWWAuthenticateChallengeError) {
    return `refused the client with status ${error.status}; check clientId and clientSecret`
  }
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    return `did not answer within ${answerTimeoutMs} ms`
  }
  const code = networkCode(error)
  if (code !== undefined) return `cannot be reached (${code})`
  const status =
    error instanceof Error && error.cause instanceof Response ? error.cause.status : undefined
  return status === undefined
    ? 'gave an answer that is not a token response'
    : `gave an answer that is not a token response (status ${status})`
}

/** Text of another server, on one line, without what it may repeat of the request. */
function said(text: string, { clientId, clientSecret }: ClientCredentialsRequest): string {
  return [credentialsOf(clientId, clientSecret), clientSecret, encodeURIComponent(clientSecret)]
    .reduce((rest, secret) => rest.replaceAll(secret, '…'), text)
    .replaceAll(/[^\x20-\x7e…]+/g, ' ')
    .slice(0, 200)
}

/** Why `fetch` failed: `ECONNREFUSED`, `ENOTFOUND`, a code of TLS. */
function networkCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const { cause } = error
  if (!(error instanceof TypeError) || typeof cause !== 'object' || cause === null) return undefined
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined
}
