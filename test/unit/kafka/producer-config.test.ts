import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  kafkaParameterNames,
  kafkaParameters,
  type KafkaParameterValues,
} from '../../../src/kafka/parameter-table.ts'
import { toProducerConfig, type ProducerConfig } from '../../../src/kafka/producer-config.ts'
import { rdkafka } from '../../../src/kafka/rdkafka-binding.ts'
import { selfSigned } from './certificates.ts'

const required = { kafkaTopic: 'events', bootstrapServers: 'a:9092 , b:9092' }

function bestEffort(values: Partial<KafkaParameterValues> = {}): ProducerConfig {
  return toProducerConfig({ ...required, ...values }, 'best-effort')
}

function atLeastOnce(values: Partial<KafkaParameterValues> = {}): ProducerConfig {
  return toProducerConfig({ ...required, ...values }, 'at-least-once', 'tx-1')
}

describe('toProducerConfig', () => {
  const cases: readonly {
    values: Partial<KafkaParameterValues>
    global?: Record<string, unknown>
    topic?: Record<string, unknown>
  }[] = [
    {
      values: {},
      global: {
        'bootstrap.servers': 'a:9092,b:9092',
        'security.protocol': 'PLAINTEXT',
        'message.max.bytes': 1_048_576,
      },
    },
    {
      values: {},
      topic: {
        acks: 'all',
        partitioner: 'murmur2_random',
        'message.timeout.ms': 120_000,
        'request.timeout.ms': 30_000,
      },
    },
    { values: { compressionType: 'lz4' }, global: { 'compression.type': 'lz4' } },
    {
      values: { batchSize: 16_384 },
      global: { 'batch.size': 16_384, 'batch.num.messages': undefined },
    },
    { values: { batchSize: 0 }, global: { 'batch.size': undefined, 'batch.num.messages': 1 } },
    { values: { deliveryTimeoutMs: 5000 }, topic: { 'message.timeout.ms': 5000 } },
    {
      // librdkafka refuses a linger that is not shorter.
      values: { deliveryTimeoutMs: 10 },
      global: { 'linger.ms': 5 },
      topic: { 'message.timeout.ms': 10 },
    },
    { values: { maxRequestSize: 5000 }, global: { 'message.max.bytes': 5000 } },
    { values: { maxBlockMs: 5000 }, global: { 'topic.metadata.propagation.max.ms': 5000 } },
    {
      values: { requestTimeoutMs: 1_000_000 },
      global: { 'socket.timeout.ms': 300_000 },
      topic: { 'request.timeout.ms': 900_000 },
    },
    {
      values: {
        securityProtocol: 'sasl_ssl',
        saslMechanism: 'SCRAM-SHA-256',
        saslJaasConfig:
          'org.apache.kafka.common.security.scram.ScramLoginModule required username="u" password="p";',
      },
      global: {
        'security.protocol': 'SASL_SSL',
        'sasl.mechanism': 'SCRAM-SHA-256',
        'sasl.username': 'u',
        'sasl.password': 'p',
      },
    },
  ]
  for (const { values, global = {}, topic = {} } of cases) {
    it(`maps ${JSON.stringify(values).slice(0, 100)}`, () => {
      const config = bestEffort(values)
      for (const [name, value] of Object.entries(global)) assert.equal(config.global[name], value)
      for (const [name, value] of Object.entries(topic)) assert.equal(config.topic[name], value)
    })
  }

  it('sets each librdkafka property the table names, in the argument it names', () => {
    const { key, certificate } = selfSigned('client')
    const everything: Partial<KafkaParameterValues> = {
      compressionType: 'gzip',
      batchSize: 1,
      deliveryTimeoutMs: 10_000,
      maxBlockMs: 1,
      maxRequestSize: 1000,
      requestTimeoutMs: 10,
      sslKeystoreKey: key,
      sslKeystoreCertificateChain: certificate,
      sslKeyPassword: 'pw',
      sslTruststoreCertificates: certificate,
      securityProtocol: 'SASL_SSL',
      saslMechanism: 'PLAIN',
      saslJaasConfig:
        'org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="p";',
    }
    const sslKeystoreKey = { path: '/p.p12', password: 'pw', sha256: 'x', certificate: undefined }
    const configs = [
      bestEffort(everything),
      bestEffort({ batchSize: 0, securityProtocol: 'SSL', sslKeystoreKey }),
    ]
    for (const name of kafkaParameterNames) {
      for (const { scope, property } of kafkaParameters[name].librdkafka) {
        assert.ok(
          configs.some((config) => property in config[scope]),
          `${name}: ${scope} ${property}`,
        )
      }
    }
  })

  it('keeps everything inside the transaction timeout', () => {
    const { global, topic, transactionTimeoutMs } = atLeastOnce({
      deliveryTimeoutMs: 120_000,
      requestTimeoutMs: 120_000,
    })
    assert.equal(global['transaction.timeout.ms'], transactionTimeoutMs)
    assert.ok(Number(topic['message.timeout.ms']) < transactionTimeoutMs)
    assert.ok(Number(global['socket.timeout.ms']) <= transactionTimeoutMs - 100)
  })

  it('is a configuration librdkafka takes', () => {
    const values: Partial<KafkaParameterValues> = {
      compressionType: 'gzip',
      batchSize: 0,
      deliveryTimeoutMs: 10,
      maxBlockMs: 1,
      maxRequestSize: 1000,
      requestTimeoutMs: 10,
    }
    for (const config of [bestEffort(), bestEffort(values), atLeastOnce(), atLeastOnce(values)]) {
      assert.doesNotThrow(() => new rdkafka.Producer({ ...config.global }, { ...config.topic }))
    }
  })

  it('is transactional only for at least once', () => {
    assert.equal(atLeastOnce().global['transactional.id'], 'tx-1')
    assert.equal(atLeastOnce().global['delivery.report.only.error'], undefined)
    assert.equal(atLeastOnce().global['linger.ms'], 0)
    assert.equal(bestEffort().transactionalId, undefined)
    assert.equal('transactional.id' in bestEffort().global, false)
  })

  it('leaves sasl and ssl properties out of a plain connection', () => {
    const { key, certificate } = selfSigned('client')
    const { global } = bestEffort({ sslKeystoreKey: key, sslTruststoreCertificates: certificate })
    assert.deepEqual(
      Object.keys(global).filter((name) => /^(ssl|sasl)/.test(name)),
      [],
    )
  })

  it('rewraps a key given on one line', () => {
    const { key, certificate } = selfSigned('client')
    const { global } = bestEffort({
      securityProtocol: 'SSL',
      sslKeystoreKey: `${key} ${certificate}`.replaceAll('\n', ' '),
    })
    assert.equal(global['ssl.key.pem'], key)
    assert.equal(global['ssl.certificate.pem'], certificate)
  })

  it('refuses what cannot be used, and names the parameter', () => {
    assert.throws(() => bestEffort({ securityProtocol: 'SASL_SSL' }), {
      code: 'KTD_INVALID_PARAMETER',
      expression: "AidboxTopicDestination.parameter.where(name = 'saslMechanism')",
    })
  })
})
