import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { clientCredentialsToken } from '../../../src/kafka/tokens/client-credentials.ts'
import type { LoginToken } from '../../../src/kafka/tokens/login-token.ts'
import type { ClientCredentialsRequest } from '../../../src/kafka/tokens/token-request.ts'
import { answerJson, TokenEndpoint } from '../../helpers/token-endpoint.ts'

describe('clientCredentialsToken', () => {
  function fetchToken(
    endpoint: TokenEndpoint,
    more: Partial<ClientCredentialsRequest> = {},
    signal: AbortSignal = new AbortController().signal,
  ): Promise<LoginToken> {
    const request: ClientCredentialsRequest = {
      kind: 'client-credentials',
      endpointUrl: endpoint.url,
      clientId: endpoint.clientId,
      clientSecret: endpoint.clientSecret,
      scope: undefined,
      ...more,
    }
    return clientCredentialsToken(request, signal, Date.now())
  }

  it('asks as RFC 6749 says: basic authentication, a form, the scope', async (t) => {
    const endpoint = await TokenEndpoint.start(t)
    const { text } = await fetchToken(endpoint, { scope: 'https://hub.example.org/.default' })
    const [call] = endpoint.calls
    assert.equal(text, call?.token)
    assert.equal(
      call?.authorization,
      `Basic ${Buffer.from('fhir-server:endpoint-secret').toString('base64')}`,
    )
    assert.deepEqual(Object.fromEntries(call.body), {
      grant_type: 'client_credentials',
      scope: 'https://hub.example.org/.default',
    })
    await fetchToken(endpoint)
    assert.deepEqual(Object.fromEntries(endpoint.calls[1]?.body ?? []), {
      grant_type: 'client_credentials',
    })
    await assert.rejects(fetchToken(endpoint, { clientId: 'a:b', clientSecret: 'c+d%e f~-' }))
    const [, encoded = ''] = endpoint.calls[2]?.authorization.split(' ') ?? []
    assert.equal(Buffer.from(encoded, 'base64').toString(), 'a%3Ab:c%2Bd%25e%20f~-')
  })

  it('takes the shorter lifetime of the answer and of the token', async (t) => {
    const endpoint = await TokenEndpoint.start(t)
    const nowMs = Date.now()
    endpoint.lifetimeSeconds = 100
    endpoint.clockSkewSeconds = 1000
    assert.ok((await fetchToken(endpoint)).expiresAtMs - nowMs < 200_000)
    endpoint.lifetimeSeconds = 1000
    endpoint.clockSkewSeconds = -900
    assert.ok((await fetchToken(endpoint)).expiresAtMs - nowMs < 200_000)
  })

  it('reads an opaque token, and assumes five minutes where nothing says how long it holds', async (t) => {
    const endpoint = await TokenEndpoint.start(t)
    endpoint.override = (response) => {
      answerJson(response, 200, { access_token: 'opaque~token', token_type: 'Bearer' })
    }
    const nowMs = Date.now()
    const { text, expiresAtMs } = await fetchToken(endpoint)
    assert.equal(text, 'opaque~token')
    assert.ok(expiresAtMs - nowMs >= 300_000 && expiresAtMs - nowMs < 400_000)
  })

  it('says in words what went wrong, without the secret', async (t) => {
    const endpoint = await TokenEndpoint.start(t)
    const url = endpoint.url
    type Bad = readonly [says: RegExp, override: TokenEndpoint['override'], clientSecret?: string]
    const bad: readonly Bad[] = [
      [
        /refused the client: invalid_client \(unknown client or secret fhir-server:…\); check clientId/,
        undefined,
        'Zx9-hidden',
      ],
      [
        /refused the client: invalid_client \(x{190} … …\); check/,
        (response) => {
          const basic = Buffer.from('fhir-server:Zx9-hidden').toString('base64')
          const description = `${'x'.repeat(190)} Zx9-hidden ${basic}`
          answerJson(response, 400, { error: 'invalid_client', error_description: description })
        },
        'Zx9-hidden',
      ],
      [
        /refused the client with status 401; check clientId and clientSecret/,
        (response) => response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end(),
      ],
      [
        /refused the client: invalid_scope; check/,
        (response) => {
          answerJson(response, 400, { error: 'invalid_scope' })
        },
      ],
      [
        /gave an answer that is not a token response \(status 302\)/,
        (response) => response.writeHead(302, { location: `${url}/elsewhere` }).end(),
      ],
      [
        /gave an answer that is not a token response \(status 503\)/,
        (response) => response.writeHead(503).end('down'),
      ],
      [
        /gave an answer that is not a token response \(status 200\)/,
        (response) =>
          response.writeHead(200, { 'content-type': 'text/html' }).end('<p>Zx9-hidden</p>'),
      ],
      [
        /not a bearer token/,
        (response) => {
          answerJson(response, 200, { access_token: 'a b\u0001auth', token_type: 'bearer' })
        },
      ],
    ]
    for (const [says, override, clientSecret = endpoint.clientSecret] of bad) {
      endpoint.override = override
      await assert.rejects(
        fetchToken(endpoint, { clientSecret, endpointUrl: `${url}?key=Zx9-hidden` }),
        (error) => {
          assert.ok(error instanceof Error)
          assert.equal(error.name, 'TokenFailure')
          assert.match(error.message, says)
          assert.ok(error.message.startsWith(`The token endpoint ${url} `), error.message)
          assert.doesNotMatch(error.message, /Zx9-hidden/)
          return true
        },
      )
    }
    assert.equal(endpoint.calls.length, bad.length, 'no redirect was followed')
    await endpoint.stop()
    await assert.rejects(fetchToken(endpoint, { endpointUrl: url }), /cannot be reached \(\w+\)/)
  })

  it('ends when nobody waits any more', async (t) => {
    const endpoint = await TokenEndpoint.start(t)
    endpoint.override = () => undefined
    const waiting = new AbortController()
    const answer = fetchToken(endpoint, {}, waiting.signal)
    await endpoint.untilCalls(1)
    waiting.abort()
    await assert.rejects(answer, { name: 'TokenFailure' })
  })
})
