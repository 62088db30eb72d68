import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, describe, it, type TestContext } from 'node:test'
import { isTopicDestinationError } from '../../../src/errors.ts'
import {
  kafkaParameterNames,
  kafkaParameters,
  type KafkaParameterValues,
} from '../../../src/kafka/parameter-table.ts'
import { toProducerConfig } from '../../../src/kafka/producer-config.ts'
import { secretReferenceUrl } from '../../../src/resources/canonical-urls.ts'
import { parseTopicDestination } from '../../../src/resources/topic-destination.ts'
import { topicDestinationType } from '../../../src/resources/topic-destination-type.ts'
import { loadSecretSource } from '../../../src/resources/secrets.ts'
import { destinationResource, type TestResource } from '../../helpers/topic-resources.ts'
import { pkcs12, selfSigned, type Identity } from './certificates.ts'

const secrets = loadSecretSource()
const type = topicDestinationType({ secrets })

/** What this module sets by itself, whatever a destination says. */
const ownProperties = [
  'client.id',
  'enable.idempotence',
  'enable.gapless.guarantee',
  'socket.keepalive.enable',
  'reconnect.backoff.max.ms',
  'retry.backoff.ms',
  'retry.backoff.max.ms',
  'dr_cb',
  'linger.ms',
  'queue.buffering.max.kbytes',
  'queue.buffering.max.messages',
  'transactional.id',
  'transaction.timeout.ms',
  'acks',
  'partitioner',
]
/** Of these librdkafka opens a file, loads code, runs a command or writes down what it does. */
const dangerous =
  /location|directory|plugin|kinit|keytab|engine|debug|\bcmd\b|interceptor|_cb$|oauthbearer|providers|log/

type Parameter = Readonly<Record<string, unknown>> & { readonly name: string }

/** The properties that librdkafka gets of a destination with these parameters on top; undefined when its write is refused. */
function reached(...more: readonly Parameter[]): ReadonlyMap<string, unknown> | undefined {
  const stored = destinationResource('d', 'kafka-at-least-once', 't', 't', 'a:1')
  const replaced = (stored['parameter'] as Parameter[]).filter(
    ({ name }) => !more.some((each) => each.name === name),
  )
  const resource = { ...stored, parameter: [...replaced, ...more] }
  const issues = type.validate(resource)
  assert.ok(Array.isArray(issues))
  if (issues.some(({ severity }) => severity === 'error')) {
    // Where a host stores without asking for validation, it goes no further either.
    const properties = propertiesOf(resource)
    assert.doesNotMatch(JSON.stringify([...(properties ?? [])]), /evil|\/etc/)
    return undefined
  }
  return propertiesOf(resource)
}

/** Of both kinds of producer together; undefined when the stored resource cannot be used. */
function propertiesOf(resource: TestResource): ReadonlyMap<string, unknown> | undefined {
  let parameters: KafkaParameterValues
  try {
    parameters = parseTopicDestination(resource, secrets).parameters
  } catch (error) {
    assert.ok(isTopicDestinationError(error) && error.code === 'KTD_INVALID_PARAMETER')
    return undefined
  }
  const all = (['best-effort', 'at-least-once'] as const).flatMap((kind) => {
    const { global, topic } = toProducerConfig(parameters, kind, 'tx')
    return [...Object.entries(global), ...Object.entries(topic)]
  })
  return new Map(all)
}

const text = (name: string, valueString: string): Parameter => ({ name, valueString })
const sasl = (options: string, module = 'plain.PlainLoginModule'): readonly Parameter[] => [
  text('securityProtocol', 'SASL_PLAINTEXT'),
  text('saslMechanism', 'PLAIN'),
  text('saslJaasConfig', `org.apache.kafka.common.security.${module} required ${options};`),
]

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'vault-'))
  t.after(() => {
    rmSync(folder, { recursive: true })
  })
  return folder
}

describe('what a destination can reach', () => {
  let identity: Identity
  before(() => {
    identity = selfSigned('client')
  })

  const refused: Readonly<Record<string, readonly Parameter[]>> = {
    'a property of librdkafka as a parameter': [text('plugin.library.paths', '/tmp/evil.so')],
    'a debug context': [text('debug', 'all')],
    'a path of a key': [text('ssl.key.location', '/etc/ssl/private/key.pem')],
    'a path of a key store': [text('ssl.keystore.location', '/etc/keys.p12')],
    'a path of authorities': [text('ssl.ca.location', '/tmp/ca.pem')],
    'a command of Kerberos': [text('sasl.kerberos.kinit.cmd', 'touch /tmp/evil')],
    'a name of every object': [text('__proto__', 'x')],
    'a constructor': [text('constructor', 'x')],
    'a name with a line break': [text('kafkaTopic\nplugin.library.paths', '/tmp/evil.so')],
    'a path instead of a key': [
      text('securityProtocol', 'SSL'),
      text('sslKeystoreKey', '/etc/ssl/private/key.pem'),
    ],
    'a key store in words': [
      text('securityProtocol', 'SSL'),
      { name: 'sslKeystoreKey', valueString: { path: '/etc/keys.p12', password: '' } },
    ],
    'a path instead of authorities': [
      text('securityProtocol', 'SSL'),
      text('sslTruststoreCertificates', 'file:///etc/ssl/certs/ca.pem'),
    ],
    'a line break in bootstrapServers': [text('bootstrapServers', 'a:1\nplugin.library.paths=x')],
    'a semicolon in bootstrapServers': [text('bootstrapServers', 'a:1;b:2')],
    'an equals sign in bootstrapServers': [text('bootstrapServers', 'a:1,debug=all')],
    'an end of text in bootstrapServers': [text('bootstrapServers', 'evil.test\u0000.a:1')],
    'a protocol in bootstrapServers': [text('bootstrapServers', 'SSL://a:1')],
    'a path in bootstrapServers': [text('bootstrapServers', '/var/run/kafka.sock:1')],
    'an empty bootstrap server': [text('bootstrapServers', 'a:1,,b:2')],
    'a list in compressionType': [text('compressionType', 'lz4,debug=all')],
    'a list in securityProtocol': [text('securityProtocol', 'SSL\nssl.engine.location=x')],
    'a path in kafkaTopic': [text('kafkaTopic', '../../etc/passwd')],
    'a shell in kafkaTopic': [text('kafkaTopic', '$(touch /tmp/evil)')],
    'two login modules': sasl('username="u" password="p"; com.evil.Module required'),
    'a login module of Kerberos with PLAIN': [
      ...sasl('').slice(0, 2),
      text(
        'saslJaasConfig',
        'com.sun.security.auth.module.Krb5LoginModule required keyTab="/etc/krb5.keytab" principal="u";',
      ),
    ],
    'a callback handler': [text('saslClientCallbackHandlerClass', 'com.evil.Handler')],
  }
  for (const [name, parameters] of Object.entries(refused)) {
    it(`not: ${name}`, () => {
      assert.equal(reached(...parameters), undefined)
    })
  }

  it('options of a login module that are none of its are never handed on', () => {
    const properties = reached(
      ...sasl(
        'username="u" password="p" keyTab="/etc/krb5.keytab" debug="all" plugin.library.paths="/tmp/evil.so" "ssl.key.location"="/x"',
      ),
    )
    assert.ok(properties)
    assert.equal(properties.get('sasl.username'), 'u')
    assert.doesNotMatch(JSON.stringify([...properties]), /evil|krb5|\/x|all","debug/)
  })

  it('a password is one value, whatever is in it', () => {
    const password = "p\nplugin.library.paths=/tmp/evil.so;,'$(id)"
    const escaped = password.replaceAll('\n', '\\n')
    const properties = reached(...sasl(`username="u" password="${escaped}"`))
    assert.equal(properties?.get('sasl.password'), password)
    assert.equal(properties.has('plugin.library.paths'), false)
  })

  it('only the properties of the table and our own, of every parameter at once', () => {
    const { key, certificate } = identity
    const known = new Set([
      ...ownProperties,
      ...kafkaParameterNames.flatMap((name) =>
        kafkaParameters[name].librdkafka.map(({ property }) => property),
      ),
    ])
    const numbers = ['batchSize', 'deliveryTimeoutMs', 'maxBlockMs', 'maxRequestSize']
    const properties = reached(
      ...numbers.map((name) => ({ name, valueInteger: 50_000 })),
      ...sasl('username="u" password="p"').slice(1),
      text('securityProtocol', 'SASL_SSL'),
      text('compressionType', 'lz4'),
      text('sslKeystoreKey', key),
      text('sslKeystoreCertificateChain', certificate),
      text('sslTruststoreCertificates', certificate),
    )
    assert.ok(properties && properties.size > 25)
    for (const property of properties.keys()) {
      assert.ok(known.has(property), property)
      if (property !== 'dr_cb') assert.doesNotMatch(property, dangerous)
    }
  })

  it('a path stands in the vault configuration only: the key store, as it is written there', (t) => {
    const folder = temporaryFolder(t)
    const path = join(folder, 'client.p12')
    writeFileSync(path, pkcs12(identity, 'pw'))
    writeFileSync(join(folder, 'pw'), 'pw')
    const scope = { resource_type: 'AidboxTopicDestination' }
    const client = { path, format: 'pkcs12', password_path: 'pw', scope }
    const vaultPath = join(folder, 'vault.json')
    writeFileSync(vaultPath, JSON.stringify({ secret: { client } }))
    const vault = loadSecretSource(vaultPath)
    const stored = destinationResource('d', 'kafka-best-effort', 't', 't', 'a:1')
    const referring = (parameter: string, secret: string) => ({
      ...stored,
      parameter: [
        ...(stored['parameter'] as object[]),
        text('securityProtocol', 'SSL'),
        {
          name: parameter,
          _valueString: { extension: [{ url: secretReferenceUrl, valueString: secret }] },
        },
      ],
    })
    const { parameters } = parseTopicDestination(referring('sslKeystoreKey', 'client'), vault)
    const { global } = toProducerConfig(parameters, 'best-effort')
    assert.equal(global['ssl.keystore.location'], path)
    assert.equal(global['ssl.keystore.password'], 'pw')
    for (const [parameter, secret] of [
      ['sslKeystoreKey', path],
      ['sslKeystoreKey', '../client'],
      ['sslKeyPassword', 'client'],
      ['saslJaasConfig', 'client'],
    ] as const) {
      assert.throws(() => parseTopicDestination(referring(parameter, secret), vault), {
        code: 'KTD_INVALID_PARAMETER',
        message: new RegExp(`^(?!.*${folder})`, 's'),
      })
    }
  })
})
