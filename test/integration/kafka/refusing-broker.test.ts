import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { refusingBroker } from '../../helpers/refusing-broker.ts'
import { passwordLogin } from './logins.ts'
import { Causes, idempotentProducer } from './producers.ts'

describe('a broker that repeats the password', () => {
  it('is quoted without it', async (t) => {
    const bootstrapServers = await refusingBroker(t, (password) => `"${password}" is wrong`)
    const causes = new Causes()
    idempotentProducer(
      t,
      {
        kafkaTopic: 'any',
        bootstrapServers,
        securityProtocol: 'SASL_PLAINTEXT',
        ...passwordLogin('PLAIN', 'alice', 'open sesame'),
      },
      causes,
    )
    assert.equal(
      await causes.until(/refused the login/),
      `Kafka broker ${bootstrapServers} refused the login: "…" is wrong.`,
    )
    assert.doesNotMatch(causes.heard.join(), /sesame/)
  })
})
