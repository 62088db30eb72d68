import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { oidcCause } from '../../../src/kafka/tokens/oidc-cause.ts'

describe('oidcCause', () => {
  // Lines as librdkafka 2.12 logs them.
  const refused =
    '[thrd:background]: Failed to retrieve OIDC token from "http://127.0.0.1:46849/oauth2/token?key=Zx9": {"error":"invalid_client","error_description":"unknown secret Zx9-hidden"} (401)'
  it('says where no token came from, without the words of the endpoint', () => {
    assert.equal(
      oidcCause({ severity: 3, fac: 'OIDC', message: refused }),
      'librdkafka got no token from http://127.0.0.1:46849 (status 401); check saslOauthbearerTokenEndpointUrl, clientId, clientSecret and scope.',
    )
    assert.match(
      oidcCause({ severity: 3, fac: 'OIDC', message: 'Expected JSON: Zx9' }) ?? '',
      /^librdkafka got no token from the token endpoint; check/,
    )
  })

  it('leaves other lines alone', () => {
    assert.equal(oidcCause({ severity: 3, fac: 'FAIL', message: refused }), undefined)
    assert.equal(oidcCause({ severity: 7, fac: 'OIDC', message: refused }), undefined)
  })
})
