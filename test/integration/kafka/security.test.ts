import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { openKeyStore } from '../../../src/kafka/key-store.ts'
import type { KafkaParameterValues } from '../../../src/kafka/parameter-table.ts'
import { preflight } from '../../../src/kafka/preflight/preflight.ts'
import { type KafkaAddresses, newTopic, testKafka } from '../../helpers/kafka.ts'
import { traditional } from '../../unit/kafka/certificates.ts'
import {
  certificateFile,
  clientCertificate,
  mutualTlsListener,
  passwordLogin,
  passwordMechanisms,
  saslListener,
  saslTlsListener,
  type PasswordMechanism,
} from './logins.ts'
import { Causes, idempotentProducer, sent, transactionalProducer } from './producers.ts'
import { record } from './records.ts'

describe('security', () => {
  let kafka: KafkaAddresses
  before(async () => {
    kafka = await testKafka()
  })

  function login(
    kafkaTopic: string,
    user: string,
    mechanism: PasswordMechanism,
    password = kafka.users[user] ?? '',
  ): KafkaParameterValues {
    return {
      kafkaTopic,
      ...saslListener(kafka),
      ...passwordLogin(mechanism, user, password),
      maxBlockMs: 5000,
    }
  }

  for (const mechanism of passwordMechanisms) {
    it(`logs in with ${mechanism}, plain and over TLS`, async (t) => {
      const kafkaTopic = await newTopic(kafka.bootstrapServers)
      const plain = login(kafkaTopic, 'admin', mechanism)
      await sent(idempotentProducer(t, plain), record(kafkaTopic, 'a'))
      const overTls = { ...plain, ...saslTlsListener(kafka) }
      const producer = transactionalProducer(t, overTls, kafkaTopic)
      await producer.start()
      await producer.sendPage([record(kafkaTopic, 'b')])
    })
  }

  it('shows a client certificate, its key encrypted or not', async (t) => {
    const kafkaTopic = await newTopic(kafka.bootstrapServers)
    const values: KafkaParameterValues = {
      kafkaTopic,
      ...mutualTlsListener(kafka),
      ...clientCertificate(kafka),
    }
    const encrypted: KafkaParameterValues = {
      ...values,
      sslKeystoreKey: certificateFile(kafka, 'client.encrypted.key'),
      sslKeyPassword: kafka.certificatePassword,
    }
    // The listener's users may do nothing, so the broker's "no" to the topic proves that it let them in.
    for (const each of [values, encrypted]) {
      const producer = idempotentProducer(t, { ...each, maxBlockMs: 5000 })
      await assert.rejects(sent(producer, record(kafkaTopic, 'a')), /authorization failed/i)
    }
  })

  it('shows a client certificate whose key is in another form, or in a key store of the vault', async (t) => {
    const kafkaTopic = await newTopic(kafka.bootstrapServers)
    const { sslKeystoreKey: key, ...chain } = clientCertificate(kafka)
    const path = join(kafka.certificates, 'client.p12')
    const keyStore = openKeyStore(path, readFileSync(path), kafka.certificatePassword)
    assert.equal(keyStore.certificate, chain.sslKeystoreCertificateChain)
    const keys: readonly Partial<KafkaParameterValues>[] = [
      { ...chain, sslKeystoreKey: traditional(key) },
      {
        ...chain,
        sslKeystoreKey: traditional(key, 'pw').replaceAll(/\s+/g, ' '),
        sslKeyPassword: 'pw',
      },
      { sslKeystoreKey: keyStore },
    ]
    for (const each of keys) {
      const values = { kafkaTopic, ...mutualTlsListener(kafka), ...each, maxBlockMs: 5000 }
      const producer = idempotentProducer(t, values)
      await assert.rejects(sent(producer, record(kafkaTopic, 'a')), /authorization failed/i)
    }
  })

  it('trusts the authorities of the system where the destination names none', async (t) => {
    const { SSL_CERT_FILE: previous } = process.env
    t.after(() => {
      if (previous === undefined) delete process.env['SSL_CERT_FILE']
      else process.env['SSL_CERT_FILE'] = previous
    })
    process.env['SSL_CERT_FILE'] = join(kafka.certificates, 'test-ca.crt')
    const kafkaTopic = await newTopic(kafka.bootstrapServers)
    const values: KafkaParameterValues = {
      ...login(kafkaTopic, 'admin', 'PLAIN'),
      bootstrapServers: kafka.saslSslBootstrapServers,
      securityProtocol: 'SASL_SSL',
    }
    await sent(idempotentProducer(t, values), record(kafkaTopic, 'a'))
    assert.deepEqual(await preflight({ values }, { timeoutMs: 30_000 }), [])
  })

  it('names a key store that has gone away, and not its path', async (t) => {
    const path = join(kafka.certificates, 'client.p12')
    const opened = openKeyStore(path, readFileSync(path), kafka.certificatePassword)
    const values: KafkaParameterValues = {
      kafkaTopic: 'any',
      bootstrapServers: kafka.mtlsBootstrapServers,
      securityProtocol: 'SSL',
      sslKeystoreKey: { ...opened, path: '/nowhere/secret-name.p12' },
    }
    const causes = new Causes()
    idempotentProducer(t, values, causes)
    const says = /^The key store that sslKeystoreKey refers to cannot be read any more/
    await causes.until(says)
    await assert.rejects(transactionalProducer(t, values, 'gone', causes).start(), {
      kind: 'fatal',
      message: says,
    })
    assert.doesNotMatch(causes.heard.join(), /secret-name/)
  })

  it('says that the login was refused, without the password', async (t) => {
    const values = login('any', 'admin', 'PLAIN', 'not-the-password')
    const causes = new Causes()
    const producer = transactionalProducer(t, values, 'refused', causes)
    const said = await producer.start().then(
      () => '',
      (error: unknown) => String(error),
    )
    assert.match(said, /refused the login/)
    assert.doesNotMatch([said, ...causes.heard].join(), /not-the-password/)
  })

  it('says that the certificate of the broker is not trusted, and that one of ours is not', async (t) => {
    const distrusting: KafkaParameterValues = {
      ...login('any', 'admin', 'PLAIN'),
      ...saslTlsListener(kafka),
      sslTruststoreCertificates: certificateFile(kafka, 'rogue-ca.crt'),
    }
    await assert.rejects(transactionalProducer(t, distrusting, 'distrusting').start(), {
      kind: 'fatal',
      message: /was not signed by a trusted authority/,
    })
    const rogue: KafkaParameterValues = {
      kafkaTopic: 'any',
      ...mutualTlsListener(kafka),
      ...clientCertificate(kafka, 'rogue'),
    }
    const causes = new Causes()
    idempotentProducer(t, rogue, causes)
    await causes.until(/refused the client certificate/)
  })

  it('a user without rights: the transactional.id is fatal, the topic retriable, both named', async (t) => {
    const kafkaTopic = await newTopic(kafka.bootstrapServers)
    const values = login(kafkaTopic, 'alice', 'SCRAM-SHA-256')
    await assert.rejects(transactionalProducer(t, values, 'not-for-alice').start(), {
      kind: 'fatal',
      kafkaCode: 53,
      message: /Transactional id authorization failed.*"not-for-alice"/,
    })
    await assert.rejects(sent(idempotentProducer(t, values), record(kafkaTopic, 'a')), {
      kind: 'retriable',
      message: /(Topic|Cluster) authorization failed/,
    })
  })
})
