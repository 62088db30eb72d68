import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readServerSettings, serverVariables } from '../../../src/server/options.ts'

describe('the environment variables of the server', () => {
  it('have defaults of the kind that the table says', () => {
    const settings = readServerSettings({})
    assert.deepEqual(Object.keys(settings), Object.keys(serverVariables))
    for (const [key, variable] of Object.entries(serverVariables)) {
      const value = settings[key as keyof typeof settings]
      const expected = { integer: 'number', boolean: 'boolean', text: 'string' }[variable.kind]
      if (variable.default !== undefined) assert.equal(typeof value, expected, key)
      else assert.equal(value, undefined, key)
    }
  })

  it('are read by kind; an empty one is the same as none', () => {
    const settings = readServerSettings({
      PORT: '0',
      BASE_URL: '',
      CLOUD_EVENTS_HEADERS: 'false',
      PLAIN_SECRETS: 'echo',
      VAULT_CONFIG: '/run/vault.json',
      TRUSTED_PROXIES: 'uniquelocal, 203.0.113.7,10.0.0.0/8,2001:db8::/32',
    })
    assert.equal(settings.port, 0)
    assert.equal(settings.baseUrl, undefined)
    assert.equal(settings.cloudEventsHeaders, false)
    assert.equal(settings.plainSecrets, 'echo')
    assert.equal(settings.vaultConfigPath, '/run/vault.json')
    assert.equal(settings.trustedProxies, 'uniquelocal, 203.0.113.7,10.0.0.0/8,2001:db8::/32')
  })

  for (const [name, value] of [
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', '80.5'],
    ['PORT', 'http'],
    ['BODY_LIMIT_BYTES', '10'],
    ['STOP_TIMEOUT_MS', '1e99'],
    ['CLOUD_EVENTS_HEADERS', 'yes'],
    ['LOG_LEVEL', 'loud'],
    ['PLAIN_SECRETS', 'show'],
    ['TRUSTED_PROXIES', '1'],
    ['TRUSTED_PROXIES', 'true'],
    ['TRUSTED_PROXIES', 'proxy.example.org'],
    ['TRUSTED_PROXIES', '10.0.0.0/33'],
    ['TRUSTED_PROXIES', '10.0.0.0/0'],
    ['TRUSTED_PROXIES', '10.0.0.1,'],
  ] as const) {
    it(`refuse ${name}=${value}, naming the variable`, () => {
      assert.throws(() => readServerSettings({ [name]: value }), {
        code: 'KTD_INVALID_OPTION',
        message: new RegExp(`^${name} must`),
      })
    })
  }

  it('have a name in capitals, a sentence, and no secret with a default', () => {
    for (const variable of Object.values(serverVariables)) {
      assert.match(variable.name, /^[A-Z][A-Z_]+$/)
      assert.match(variable.doc, /\.$/)
      if ('secret' in variable) assert.equal(variable.default, undefined)
    }
  })
})
