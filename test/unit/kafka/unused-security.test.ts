import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { unusedSecurity } from '../../../src/kafka/unused-security.ts'

describe('a login or certificates that are not used', () => {
  const required = { kafkaTopic: 'any', bootstrapServers: 'localhost:9092' }
  const login = { saslMechanism: 'PLAIN', saslJaasConfig: 'canary' }
  const certificates = {
    sslKeystoreKey: 'canary',
    sslKeystoreCertificateChain: 'canary',
    sslTruststoreCertificates: 'canary',
  }
  for (const [securityProtocol, values, unused] of [
    [undefined, {}, []],
    [undefined, login, ['saslMechanism', 'saslJaasConfig']],
    ['PLAINTEXT', certificates, Object.keys(certificates)],
    ['ssl', { ...certificates, saslMechanism: 'PLAIN' }, ['saslMechanism']],
    ['SASL_PLAINTEXT', { ...login, sslKeystoreKey: 'canary' }, ['sslKeystoreKey']],
    ['sasl_ssl', { ...login, ...certificates }, []],
  ] as const) {
    it(`${securityProtocol} with ${Object.keys(values).join(', ') || 'nothing'}`, () => {
      const protocol = securityProtocol === undefined ? {} : { securityProtocol }
      const notices = unusedSecurity({ ...required, ...protocol, ...values })
      assert.equal(notices.length, unused.length === 0 ? 0 : 1)
      for (const { parameter, message } of notices) {
        assert.equal(parameter, 'securityProtocol')
        assert.ok(message.includes(`no use of ${unused.join(' and ')}:`), message)
        assert.ok(!message.includes('canary'))
      }
    })
  }
})
