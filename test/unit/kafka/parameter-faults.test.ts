import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { before, describe, it } from 'node:test'
import { parameterFaults } from '../../../src/kafka/parameter-faults.ts'
import { toProducerConfig } from '../../../src/kafka/producer-config.ts'
import type {
  KafkaParameterName,
  KafkaParameterValues,
} from '../../../src/kafka/parameter-table.ts'
import { encrypted, selfSigned, traditional, type Identity } from './certificates.ts'

const plain: KafkaParameterValues = { kafkaTopic: 'events', bootstrapServers: 'a:9092, b:9093' }
const scram: KafkaParameterValues = {
  ...plain,
  securityProtocol: 'SASL_PLAINTEXT',
  saslMechanism: 'SCRAM-SHA-512',
  saslJaasConfig:
    'org.apache.kafka.common.security.scram.ScramLoginModule required username="u" password="Zx9-hidden";',
}

function faultyParameters(
  values: KafkaParameterValues,
  features?: readonly string[],
): readonly KafkaParameterName[] {
  return parameterFaults(values, features).map(({ parameter }) => parameter)
}

describe('parameterFaults', () => {
  const good: readonly KafkaParameterValues[] = [
    plain,
    scram,
    { ...plain, bootstrapServers: '[::1]:9092' },
    { ...plain, bootstrapServers: 'plaintext://a:9092, b:9093' },
    { ...scram, bootstrapServers: 'SASL_PLAINTEXT://a:9092,SASL_PLAINTEXT://b:9093' },
    { ...plain, compressionType: 'lz4', batchSize: 0, maxBlockMs: 1, keyByResourceId: true },
    { ...plain, securityProtocol: 'ssl' },
    { ...plain, deliveryTimeoutMs: 5000 },
    { ...plain, deliveryTimeoutMs: 5000, requestTimeoutMs: 5000 },
    {
      ...scram,
      saslMechanism: 'PLAIN',
      saslJaasConfig:
        'org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="p";',
    },
  ]
  for (const values of good) {
    it(`accepts ${JSON.stringify({ ...values, saslJaasConfig: undefined })}`, () => {
      assert.deepEqual(parameterFaults(values), [])
    })
  }

  const bad: readonly (readonly [parameter: KafkaParameterName, values: KafkaParameterValues])[] = [
    ['kafkaTopic', { ...plain, kafkaTopic: '' }],
    ['kafkaTopic', { ...plain, kafkaTopic: 'no spaces' }],
    ['kafkaTopic', { ...plain, kafkaTopic: '..' }],
    ['kafkaTopic', { ...plain, kafkaTopic: 'x'.repeat(250) }],
    ['bootstrapServers', { ...plain, bootstrapServers: '' }],
    ['bootstrapServers', { ...plain, bootstrapServers: 'a' }],
    ['bootstrapServers', { ...plain, bootstrapServers: 'a:9092,' }],
    ['bootstrapServers', { ...plain, bootstrapServers: 'a:70000' }],
    ['bootstrapServers', { ...plain, bootstrapServers: 'http://a:9092' }],
    ['bootstrapServers', { ...plain, bootstrapServers: 'SASL_SSL://a:9092' }],
    ['bootstrapServers', { ...plain, bootstrapServers: 'PLAINTEXT://PLAINTEXT://a:9092' }],
    ['bootstrapServers', { ...plain, bootstrapServers: 'a\u0000b:9092' }],
    ['bootstrapServers', { ...plain, bootstrapServers: 'käse:9092' }],
    ['bootstrapServers', { ...plain, bootstrapServers: '[::1%eth0]:9092' }],
    ['bootstrapServers', { ...plain, bootstrapServers: Array(101).fill('a:9092').join() }],
    ['compressionType', { ...plain, compressionType: 'brotli' }],
    ['batchSize', { ...plain, batchSize: -1 }],
    ['maxRequestSize', { ...plain, maxRequestSize: 10 }],
    ['deliveryTimeoutMs', { ...plain, deliveryTimeoutMs: 1.5 }],
    ['deliveryTimeoutMs', { ...plain, deliveryTimeoutMs: 1000, requestTimeoutMs: 2000 }],
    ['securityProtocol', { ...plain, securityProtocol: 'TLS' }],
    ['saslMechanism', { ...plain, saslMechanism: 'SCRAM' }],
    ['saslMechanism', { ...plain, securityProtocol: 'SASL_SSL' }],
    ['saslJaasConfig', { ...scram, saslMechanism: 'PLAIN' }],
    ['saslJaasConfig', { ...scram, saslJaasConfig: 'M required Zx9-hidden;' }],
    ['saslJaasConfig', { ...plain, saslJaasConfig: 'Zx9-hidden' }],
    ['saslJaasConfig', { ...scram, saslJaasConfig: `${scram.saslJaasConfig} M required;` }],
    [
      'saslJaasConfig',
      {
        ...scram,
        saslJaasConfig: scram.saslJaasConfig?.replace('u"', 'u" tokenauth="true"') ?? '',
      },
    ],
    [
      'saslJaasConfig',
      { ...scram, saslJaasConfig: scram.saslJaasConfig?.replace('password', 'secret') ?? '' },
    ],
    ['saslClientCallbackHandlerClass', { ...plain, saslClientCallbackHandlerClass: 'a.B' }],
    ['sslKeystoreKey', { ...plain, sslKeystoreKey: 'Zx9-hidden' }],
    ['sslTruststoreCertificates', { ...plain, sslTruststoreCertificates: 'Zx9-hidden' }],
  ]
  for (const [parameter, values] of bad) {
    it(`names ${parameter} in ${JSON.stringify(values).slice(0, 150)}`, () => {
      const faults = parameterFaults(values)
      assert.deepEqual(
        faults.map((fault) => fault.parameter),
        [parameter],
      )
      for (const { message } of faults) {
        assert.match(message, /^[a-zA-Z].*\.$/)
        assert.ok(!message.includes('Zx9-hidden'), message)
      }
    })
  }

  it('names what this build of librdkafka lacks', () => {
    const bare = ['snappy', 'lz4', 'sasl_plain']
    assert.deepEqual(faultyParameters({ ...plain, compressionType: 'zstd' }, bare), [
      'compressionType',
    ])
    assert.deepEqual(faultyParameters({ ...plain, compressionType: 'gzip' }, bare), [
      'compressionType',
    ])
    assert.deepEqual(faultyParameters({ ...plain, securityProtocol: 'SSL' }, bare), [
      'securityProtocol',
    ])
    assert.deepEqual(faultyParameters(scram, bare), ['saslMechanism'])
    assert.deepEqual(faultyParameters({ ...plain, compressionType: 'zstd' }, ['zstd']), [])
  })
})

describe('parameterFaults of keys and certificates', () => {
  let own: Identity
  let other: Identity
  before(() => {
    own = selfSigned('own')
    other = selfSigned('other')
  })
  const tls = { ...plain, securityProtocol: 'SSL' }

  it('accepts a key with its certificate, in one text, encrypted, and on one line', () => {
    const chain = own.certificate
    const password = { sslKeyPassword: 'pw' }
    const good: readonly KafkaParameterValues[] = [
      { ...tls, sslKeystoreKey: own.key, sslKeystoreCertificateChain: chain },
      { ...tls, sslKeystoreKey: own.key + chain },
      {
        ...tls,
        sslKeystoreKey: encrypted(own.key, 'pw'),
        sslKeystoreCertificateChain: chain,
        ...password,
      },
      {
        ...tls,
        sslKeystoreKey: own.key.replaceAll('\n', ' '),
        sslKeystoreCertificateChain: chain.replaceAll('\n', ' '),
      },
      { ...tls, sslTruststoreCertificates: own.certificate + other.certificate },
    ]
    for (const values of good) assert.deepEqual(parameterFaults(values), [])
  })

  it('accepts every form of key that OpenSSL writes, also on one line', () => {
    const rsa = selfSigned('rsa', { algorithm: 'rsa' })
    for (const { key, certificate } of [own, rsa]) {
      const forms = {
        'PKCS#8': [key],
        'PKCS#8, encrypted': [encrypted(key, 'pw'), 'pw'],
        'PKCS#1 or SEC 1': [traditional(key)],
        'PKCS#1 or SEC 1, encrypted': [traditional(key, 'pw'), 'pw'],
      } as const
      for (const [form, [pem, sslKeyPassword]] of Object.entries(forms)) {
        for (const sslKeystoreKey of [pem, pem.replaceAll(/\s+/g, ' ')]) {
          const values = {
            ...tls,
            sslKeystoreKey,
            sslKeystoreCertificateChain: certificate,
            ...(sslKeyPassword === undefined ? {} : { sslKeyPassword }),
          }
          assert.deepEqual(parameterFaults(values), [], form)
          const { global } = toProducerConfig(values, 'best-effort')
          const written = createPrivateKey({
            key: String(global['ssl.key.pem']),
            passphrase: sslKeyPassword,
          })
          assert.ok(written.equals(createPrivateKey(key)), form)
        }
      }
    }
  })

  it('takes a key store alone', () => {
    const sslKeystoreKey = { path: '/p', password: 'pw', sha256: '', certificate: own.certificate }
    assert.deepEqual(parameterFaults({ ...tls, sslKeystoreKey }), [])
    const beside = { sslKeystoreCertificateChain: own.certificate, sslKeyPassword: 'pw' }
    assert.deepEqual(faultyParameters({ ...tls, sslKeystoreKey, ...beside }), [
      'sslKeystoreCertificateChain',
      'sslKeyPassword',
    ])
  })

  it('names what does not fit', () => {
    const chain = own.certificate
    const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
    for (const certificates of [broken, chain + broken]) {
      const sslKeystoreKey = own.key + certificates
      assert.deepEqual(faultyParameters({ ...tls, sslKeystoreKey }), ['sslKeystoreKey'])
    }
    assert.deepEqual(faultyParameters({ ...tls, sslKeystoreKey: own.key }), [
      'sslKeystoreCertificateChain',
    ])
    assert.deepEqual(faultyParameters({ ...tls, sslKeystoreCertificateChain: chain }), [
      'sslKeystoreKey',
    ])
    assert.deepEqual(
      faultyParameters({ ...tls, sslKeystoreKey: other.key, sslKeystoreCertificateChain: chain }),
      ['sslKeystoreKey'],
    )
    const sealed = {
      ...tls,
      sslKeystoreKey: encrypted(own.key, 'pw'),
      sslKeystoreCertificateChain: chain,
    }
    assert.deepEqual(parameterFaults(sealed), [
      {
        parameter: 'sslKeystoreKey',
        message: 'sslKeystoreKey is encrypted; it needs sslKeyPassword.',
      },
    ])
    assert.deepEqual(faultyParameters({ ...sealed, sslKeyPassword: 'wrong' }), ['sslKeystoreKey'])
  })
})
