import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  allowedTokenEndpoints,
  noTokenEndpoint,
  tokenEndpointFaults,
} from '../../../src/kafka/token-endpoints.ts'

describe('allowedTokenEndpoints', () => {
  const isAllowed = allowedTokenEndpoints([
    'https://login.example.org/realms/kafka',
    'http://127.0.0.1:8080/',
    ' https://sts.example.org:8443/token ',
  ])
  for (const [url, allowed] of [
    ['https://login.example.org/realms/kafka', true],
    ['https://LOGIN.example.org:443/realms/kafka/protocol/openid-connect/token?x=1', true],
    ['https://login.example.org/realms/kafka2/token', false],
    ['https://login.example.org/realms/kafka/../admin', false],
    ['https://login.example.org/realms/kafka/%2e%2e/admin', false],
    ['https://login.example.org/', false],
    ['http://login.example.org/realms/kafka', false],
    ['https://login.example.org:444/realms/kafka', false],
    ['https://login.example.org.evil.example/realms/kafka', false],
    ['https://login.example.org@evil.example/realms/kafka', false],
    ['https://user:password@login.example.org/realms/kafka', false],
    ['https://login.example.org\\@evil.example/realms/kafka', false],
    ['https://login.example.org\\@evil.example/../realms/kafka', false],
    ['https://login.example.org/realms/kafka\t/token', false],
    ['http://127.0.0.1:8080/token', true],
    ['http://127.0.0.1:8081/token', false],
    ['http://169.254.169.254/latest/meta-data', false],
    ['https://sts.example.org:8443/token', true],
    ['file:///etc/passwd', false],
    ['login.example.org', false],
    ['', false],
  ] as const) {
    it(`${allowed ? 'takes' : 'refuses'} ${url}`, () => {
      assert.equal(isAllowed(url), allowed)
    })
  }

  it('allows nothing by default', () => {
    for (const nothing of [
      allowedTokenEndpoints(undefined),
      allowedTokenEndpoints([]),
      noTokenEndpoint,
    ]) {
      assert.equal(nothing('https://login.example.org/token'), false)
    }
  })

  for (const url of [
    '',
    'login.example.org',
    'ftp://login.example.org',
    'https://a@login.example.org',
    'https://login.example.org/?a',
    'https://login.example.org/#a',
  ]) {
    it(`is no list with ${JSON.stringify(url)}`, () => {
      assert.throws(() => allowedTokenEndpoints([url]), {
        code: 'KTD_INVALID_OPTION',
        message: /allowedTokenEndpoints/,
      })
    })
  }

  it('says which it is: not allowed, or no URL', () => {
    const faults = (saslOauthbearerTokenEndpointUrl: string) =>
      tokenEndpointFaults(
        { kafkaTopic: 'a', bootstrapServers: 'b:1', saslOauthbearerTokenEndpointUrl },
        isAllowed,
      ).map(({ message }) => message)
    assert.match(faults('https://evil.example/token').join(), /allowedTokenEndpoints/)
    assert.match(faults('evil').join(), /must be an absolute URL/)
    assert.deepEqual(faults('https://sts.example.org:8443/token'), [])
  })
})
