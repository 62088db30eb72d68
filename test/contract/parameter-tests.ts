import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import rdkafka from 'node-rdkafka'
import { newTopic, uniqueName } from '../helpers/kafka.ts'
import { assertRefused, withoutVersion } from './answers.ts'
import type { ContractServer, DestinationOptions, Kind, NamedParameter } from './contract-server.ts'
import { readNotifications } from './notification.ts'
import type { parameterRows } from './parameter-rows.ts'
import type { RowTest } from './row-test.ts'
import { maskedReason } from './secret-vault.ts'

const anyPatient = { resource: 'Patient' }
const patient = (id: string, more: object = {}) => ({ resourceType: 'Patient', id, ...more })
const deadBroker = text('bootstrapServers', '127.0.0.1:9')

function text(name: string, valueString: string): NamedParameter {
  return { name, valueString }
}

function integer(name: string, valueInteger: number): NamedParameter {
  return { name, valueInteger }
}

/** A write arrives through a destination with these parameters. */
async function assertDelivers(
  contract: ContractServer,
  parameter: readonly NamedParameter[],
  kind: Kind = 'kafka-at-least-once',
): Promise<void> {
  const { read } = await contract.follow(anyPatient, { kind, parameter })
  const id = uniqueName('p')
  await contract.fhir.put(patient(id))
  assert.equal((await read(1))[0]?.focus, `Patient/${id}`)
}

/** Destinations with these parameters answer 422 at the parameter. */
async function assertParametersRefused(
  contract: ContractServer,
  cases: readonly (readonly [name: string, ...parameter: NamedParameter[]])[],
): Promise<void> {
  const topic = contract.topic(anyPatient)
  await contract.fhir.put(topic)
  for (const [name, ...parameter] of cases) {
    const destination = contract.destination(topic, 'records', { parameter })
    const answer = await contract.fhir.request('POST', '/AidboxTopicDestination', destination)
    assertRefused(answer, `AidboxTopicDestination.parameter.where(name='${name}')`)
  }
}

/** A number parameter: a whole number that is not negative. */
function integerRefusals(name: string): readonly (readonly [string, NamedParameter])[] {
  return [
    [name, text(name, '1000')],
    [name, integer(name, -1)],
  ]
}

async function withoutParameter(contract: ContractServer, name: string): Promise<void> {
  const topic = contract.topic(anyPatient)
  await contract.fhir.put(topic)
  const destination = contract.destination(topic, 'records')
  const parameter = (destination['parameter'] as NamedParameter[]).filter(
    (each) => each.name !== name,
  )
  const answer = await contract.fhir.request('POST', '/AidboxTopicDestination', {
    ...destination,
    parameter,
  })
  const { code } = assertRefused(answer, `AidboxTopicDestination.parameter.where(name='${name}')`)
  assert.equal(code, 'required')
}

/** The limit of the topic holds for the compressed batch: the record fits only when it is compressed. */
async function assertCompresses(contract: ContractServer, codec: string): Promise<void> {
  const { bootstrapServers } = contract.kafka
  const config = { 'max.message.bytes': '3000' }
  const kafkaTopic = await newTopic(bootstrapServers, { config })
  const topic = contract.topic(anyPatient)
  const parameter = [text('compressionType', codec)]
  await contract.create(topic, contract.destination(topic, kafkaTopic, { parameter }))
  const id = uniqueName('p')
  await contract.fhir.put(patient(id, { name: [{ text: 'x'.repeat(9000) }] }))
  const [notification] = await readNotifications(bootstrapServers, kafkaTopic, 1)
  assert.equal(notification?.focus, `Patient/${id}`)
}

const loginModules = {
  PLAIN: 'org.apache.kafka.common.security.plain.PlainLoginModule',
  'SCRAM-SHA-256': 'org.apache.kafka.common.security.scram.ScramLoginModule',
  'SCRAM-SHA-512': 'org.apache.kafka.common.security.scram.ScramLoginModule',
}

function login(
  { kafka }: ContractServer,
  mechanism: keyof typeof loginModules,
): readonly NamedParameter[] {
  const options = `username="admin" password="${kafka.users['admin'] ?? ''}"`
  return [
    text('bootstrapServers', kafka.saslBootstrapServers),
    text('securityProtocol', 'SASL_PLAINTEXT'),
    text('saslMechanism', mechanism),
    text('saslJaasConfig', `${loginModules[mechanism]} required ${options};`),
  ]
}

async function certificate({ kafka }: ContractServer, file: string): Promise<string> {
  return readFile(join(kafka.certificates, file), 'utf8')
}

/** Brokers that ask for a client certificate. Its users may do nothing, so that "authorization failed" means it was let in. */
async function assertLetIn(
  contract: ContractServer,
  parameter: readonly NamedParameter[],
): Promise<void> {
  const { id } = await contract.follow(anyPatient, {
    parameter: [
      text('bootstrapServers', contract.kafka.mtlsBootstrapServers),
      text('securityProtocol', 'SSL'),
      text('sslTruststoreCertificates', await certificate(contract, 'test-ca.crt')),
      ...parameter,
    ],
  })
  await contract.fhir.put(patient(uniqueName('p')))
  const isLetIn = (error: string) => /authorization failed/i.test(error)
  await contract.fhir.untilStatus(id, ({ errors }) => errors.some(isLetIn))
  await contract.forget()
}

/** Each of these values is stored as it is written, and the destination delivers with them. */
async function assertTypesTaken(
  contract: ContractServer,
  sets: readonly (readonly NamedParameter[])[],
): Promise<void> {
  for (const parameter of sets) {
    const { destination, read } = await contract.follow(anyPatient, { parameter })
    const stored = await contract.fhir.ok('GET', `/AidboxTopicDestination/${destination.id}`)
    assert.deepEqual(withoutVersion(stored), destination)
    const id = uniqueName('p')
    await contract.fhir.put(patient(id))
    assert.equal((await read(1))[0]?.focus, `Patient/${id}`)
    await contract.forget()
  }
}

/** A login with tokens of the endpoint that the server asks. */
function tokenLogin(
  { kafka, tokenEndpoint }: ContractServer,
  clientSecret = tokenEndpoint.clientSecret,
): readonly NamedParameter[] {
  const options = `clientId="${tokenEndpoint.clientId}" clientSecret="${clientSecret}"`
  const loginModule = 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule'
  return [
    text('bootstrapServers', kafka.saslBootstrapServers),
    text('securityProtocol', 'SASL_PLAINTEXT'),
    text('saslMechanism', 'OAUTHBEARER'),
    text('saslJaasConfig', `${loginModule} required ${options};`),
    text('saslOauthbearerTokenEndpointUrl', tokenEndpoint.url),
  ]
}

function parametersOf(resource: {
  readonly [element: string]: unknown
}): readonly NamedParameter[] {
  return resource['parameter'] as readonly NamedParameter[]
}

function maskedLogin(destination: { readonly [element: string]: unknown }): {
  readonly parameter: unknown
} {
  const parameter = parametersOf(destination).map((entry) =>
    entry.name === 'saslJaasConfig'
      ? { name: entry.name, _valueString: { extension: [maskedReason] } }
      : entry,
  )
  return { parameter }
}

const mskExample = [
  text(
    'bootstrapServers',
    'b-1.demo.abc123.c2.kafka.us-east-1.amazonaws.com:9098,b-2.demo.abc123.c2.kafka.us-east-1.amazonaws.com:9098',
  ),
  text('securityProtocol', 'SASL_SSL'),
  text('saslMechanism', 'AWS_MSK_IAM'),
  text('saslJaasConfig', 'software.amazon.msk.auth.iam.IAMLoginModule required;'),
  text('saslClientCallbackHandlerClass', 'software.amazon.msk.auth.iam.IAMClientCallbackHandler'),
]

export const parameterTests: Record<keyof typeof parameterRows, RowTest> = {
  'parameter-kafkaTopic': async (contract) => {
    await assertDelivers(contract, [])
    await withoutParameter(contract, 'kafkaTopic')
  },

  'parameter-bootstrapServers': async (contract) => {
    const servers = `127.0.0.1:9, ${contract.kafka.bootstrapServers}`
    await assertDelivers(contract, [text('bootstrapServers', servers)])
    await withoutParameter(contract, 'bootstrapServers')
    await assertParametersRefused(contract, [
      ['bootstrapServers', text('bootstrapServers', 'localhost')],
    ])
  },

  'parameter-compressionType': async (contract) => {
    for (const codec of ['gzip', 'snappy', 'lz4']) await assertCompresses(contract, codec)
    await assertParametersRefused(contract, [
      ['compressionType', text('compressionType', 'brotli')],
    ])
  },

  'parameter-compressionType-zstd': async (contract) => {
    if (rdkafka.features.includes('zstd')) await assertCompresses(contract, 'zstd')
    else {
      await assertParametersRefused(contract, [
        ['compressionType', text('compressionType', 'zstd')],
      ])
    }
  },

  'parameter-batchSize': async (contract) => {
    await assertDelivers(contract, [integer('batchSize', 0)])
    await assertDelivers(contract, [integer('batchSize', 16_384)], 'kafka-best-effort')
    await assertParametersRefused(contract, integerRefusals('batchSize'))
  },

  'parameter-deliveryTimeoutMs': async (contract) => {
    const times = [integer('deliveryTimeoutMs', 300), integer('requestTimeoutMs', 200)]
    const { id } = await contract.follow(anyPatient, {
      kind: 'kafka-best-effort',
      parameter: [deadBroker, ...times],
    })
    await contract.fhir.put(patient(uniqueName('p')))
    // The default is two minutes.
    await contract.fhir.untilStatus(id, ({ count }) => count('messagesLost') === 1)
    await assertParametersRefused(contract, integerRefusals('deliveryTimeoutMs'))
  },

  'parameter-maxBlockMs': async (contract) => {
    const parameter = [deadBroker, integer('maxBlockMs', 300)]
    const { id } = await contract.follow(anyPatient, { parameter })
    await contract.fhir.put(patient(uniqueName('p')))
    // The default is a minute.
    await contract.fhir.untilStatus(id, ({ count }) => count('messagesDeliveryAttempts') > 0)
    await assertParametersRefused(contract, integerRefusals('maxBlockMs'))
  },

  'parameter-maxRequestSize': async (contract) => {
    const kind = 'kafka-best-effort'
    const parameter = [integer('maxRequestSize', 3000)]
    const { id, read } = await contract.follow(anyPatient, { kind, parameter })
    const small = uniqueName('p')
    await contract.fhir.put(patient(`${small}-large`, { name: [{ text: 'x'.repeat(3000) }] }))
    await contract.fhir.put(patient(small))
    assert.equal((await read(1))[0]?.focus, `Patient/${small}`)
    await contract.fhir.untilStatus(id, ({ count }) => count('messagesLost') === 1)
    await assertParametersRefused(contract, integerRefusals('maxRequestSize'))
  },

  'parameter-requestTimeoutMs': async (contract) => {
    await assertDelivers(contract, [integer('requestTimeoutMs', 5000)])
    await assertParametersRefused(contract, integerRefusals('requestTimeoutMs'))
  },

  'parameter-sslKeystoreKey': async (contract) => {
    const [key, chain] = [
      await certificate(contract, 'client.key'),
      await certificate(contract, 'client.crt'),
    ]
    await assertLetIn(contract, [text('sslKeystoreKey', `${key}${chain}`)])
    await assertParametersRefused(contract, [
      ['sslKeystoreKey', text('sslKeystoreKey', 'MIIKZAIBAzCCCh4GCSqGSIb3DQEHAaCC')],
    ])
  },

  'parameter-securityProtocol': async (contract) => {
    await assertDelivers(contract, [text('securityProtocol', 'PLAINTEXT')])
    await assertDelivers(contract, login(contract, 'PLAIN'))
    const secured = [
      ...login(contract, 'PLAIN').filter(
        ({ name }) => name !== 'bootstrapServers' && name !== 'securityProtocol',
      ),
      text('bootstrapServers', contract.kafka.saslSslBootstrapServers),
      text('securityProtocol', 'SASL_SSL'),
      text('sslTruststoreCertificates', await certificate(contract, 'test-ca.crt')),
    ]
    await assertDelivers(contract, secured)
    await assertParametersRefused(contract, [['securityProtocol', text('securityProtocol', 'TLS')]])
  },

  'parameter-saslMechanism': async (contract) => {
    for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const) {
      await assertDelivers(contract, login(contract, mechanism), 'kafka-best-effort')
    }
    await assertDelivers(contract, tokenLogin(contract))
    await assertParametersRefused(contract, [['saslMechanism', text('saslMechanism', 'SCRAM')]])
  },

  'parameter-saslMechanism-msk': async (contract) => {
    const { fhir } = contract
    const { destination } = await contract.follow(anyPatient, { parameter: mskExample })
    const stored = await fhir.ok('GET', `/AidboxTopicDestination/${destination.id}`)
    assert.deepEqual(parametersOf(stored), parametersOf(maskedLogin(destination)))
  },

  'parameter-saslMechanism-msk-names': async (contract) => {
    const others = [...mskExample.slice(1), text('awsRegion', 'us-east-1')]
    const at = (servers: string) => [text('bootstrapServers', servers), ...others]
    await assertParametersRefused(contract, [
      ['bootstrapServers', ...at('kafka.example.org:9098')],
      ['bootstrapServers', ...at('b-1.kafka.us-east-1.amazonaws.com.example.org:9098')],
      ['awsRegion', ...at('b-1.demo.abc123.c2.kafka.eu-west-1.amazonaws.com:9098')],
    ])
  },

  'parameter-saslMechanism-gssapi': async (contract) => {
    const kerberos = (options: string) => [
      text('securityProtocol', 'SASL_SSL'),
      text('saslMechanism', 'GSSAPI'),
      text('saslJaasConfig', `com.sun.security.auth.module.Krb5LoginModule required ${options};`),
    ]
    if (rdkafka.features.includes('sasl_gssapi')) {
      const keytab = 'useKeyTab=true keyTab="/etc/kafka.keytab" principal="fhir@EXAMPLE.ORG"'
      await contract.follow(anyPatient, { parameter: kerberos('principal="fhir@EXAMPLE.ORG"') })
      await assertParametersRefused(contract, [['saslJaasConfig', ...kerberos(keytab)]])
    } else await assertParametersRefused(contract, [['saslMechanism', ...kerberos('')]])
  },

  'parameter-saslJaasConfig': async (contract) => {
    await assertDelivers(contract, login(contract, 'PLAIN'))
    const others = login(contract, 'PLAIN').slice(0, 3)
    await assertParametersRefused(contract, [
      ['saslJaasConfig', ...others],
      ['saslJaasConfig', ...others, text('saslJaasConfig', 'admin:secret')],
    ])
  },

  'parameter-saslClientCallbackHandlerClass': async (contract) => {
    const name = 'saslClientCallbackHandlerClass'
    const usual = 'org.apache.kafka.common.security.authenticator.SaslClientCallbackHandler'
    await assertDelivers(contract, [...login(contract, 'PLAIN'), text(name, usual)])
    await assertParametersRefused(contract, [[name, text(name, 'org.example.Handler')]])
  },

  'parameter-keyByResourceId': async (contract) => {
    const { read } = await contract.follow(anyPatient, { partitions: 3 })
    // Fixed ids: which partition a key leads to is Kafka's rule, not chance.
    const ids = ['key-a', 'key-b', 'key-c', 'key-d']
    for (const active of [true, false, true]) {
      for (const id of ids) await contract.fhir.put(patient(id, { active }))
    }
    const notifications = await read(12)
    const partitions = new Set(notifications.map(({ record }) => record.partition))
    assert.ok(partitions.size > 1, 'the keys are spread over the partitions')
    for (const id of ids) {
      const own = notifications.filter(({ record }) => record.key === id)
      assert.deepEqual(new Set(own.map(({ record }) => record.partition)).size, 1)
      assert.deepEqual(
        own.map(({ focus, entry }) => [focus, entry?.resource?.['active']]),
        [true, false, true].map((active) => [`Patient/${id}`, active]),
      )
    }
  },

  'parameter-keyByResourceId-default': async (contract) => {
    const { bootstrapServers } = contract.kafka
    const keyed = { name: 'keyByResourceId', valueBoolean: false }
    for (const kept of [[], [keyed]]) {
      const kafkaTopic = await newTopic(bootstrapServers)
      const topic = contract.topic(anyPatient)
      const whole = contract.destination(topic, kafkaTopic)
      const parameter = (whole['parameter'] as NamedParameter[]).filter(
        ({ name }) => name !== 'keyByResourceId',
      )
      await contract.create(topic, { ...whole, parameter: [...parameter, ...kept] })
      await contract.fhir.put(patient(uniqueName('p')))
      const [notification] = await readNotifications(bootstrapServers, kafkaTopic, 1)
      assert.equal(notification?.record.key, null)
      await contract.forget()
    }
  },

  'parameter-example': async (contract) => {
    const { bootstrapServers } = contract.kafka
    const kafkaTopic = await newTopic(bootstrapServers)
    const topic = contract.topic({
      resource: 'QuestionnaireResponse',
      fhirPathCriteria: "status = 'completed' or status = 'amended'",
    })
    await contract.fhir.ok('POST', '/AidboxSubscriptionTopic', topic)
    const id = uniqueName('kafka-destination')
    contract.note(`AidboxTopicDestination/${id}`)
    const profile =
      'http://health-samurai.io/fhir/core/StructureDefinition/aidboxtopicdestination-kafkaAtLeastOnceProfile'
    const destination = {
      resourceType: 'AidboxTopicDestination',
      meta: { profile: [profile] },
      kind: 'kafka-at-least-once',
      id,
      topic: topic['url'],
      parameter: [
        text('kafkaTopic', kafkaTopic),
        text('bootstrapServers', bootstrapServers),
        { name: 'keyByResourceId', valueBoolean: true },
      ],
    }
    const answer = await contract.fhir.request('POST', '/AidboxTopicDestination', destination)
    assert.equal(answer.status, 201)
    const response = { resourceType: 'QuestionnaireResponse', id, status: 'completed' }
    await contract.fhir.put(response)
    const [notification] = await readNotifications(bootstrapServers, kafkaTopic, 1)
    assert.deepEqual(
      [notification?.record.key, notification?.focus],
      [id, `QuestionnaireResponse/${id}`],
    )
  },

  'parameter-integer-types': (contract) =>
    assertTypesTaken(
      contract,
      ['valueInteger', 'valueUnsignedInt', 'valuePositiveInt'].map((type) => [
        { name: 'batchSize', [type]: 20_000 },
        { name: 'maxRequestSize', [type]: 900_000 },
        { name: 'maxBlockMs', [type]: 20_000 },
        { name: 'requestTimeoutMs', [type]: 5000 },
        { name: 'deliveryTimeoutMs', [type]: 20_000 },
      ]),
    ),

  'parameter-text-types': (contract) =>
    assertTypesTaken(
      contract,
      ['valueString', 'valueUrl', 'valueUri', 'valueCode'].map((type) => [
        { name: 'bootstrapServers', [type]: contract.kafka.bootstrapServers },
        { name: 'compressionType', [type]: 'gzip' },
      ]),
    ),

  'parameter-wrong-type': (contract) =>
    assertParametersRefused(contract, [
      ['kafkaTopic', { name: 'kafkaTopic', valueInteger: 1 }],
      ['compressionType', { name: 'compressionType', valueBoolean: true }],
      ['batchSize', { name: 'batchSize', valueDecimal: 1 }],
      ['keyByResourceId', { name: 'keyByResourceId', valueString: 'true' }],
    ]),

  'parameter-unknown': async (contract) => {
    const topic = contract.topic(anyPatient)
    await contract.fhir.put(topic)
    const more: DestinationOptions = { parameter: [integer('lingerMs', 5)] }
    const destination = contract.destination(topic, 'records', more)
    const answer = await contract.fhir.request('POST', '/AidboxTopicDestination', destination)
    assertRefused(answer, 'AidboxTopicDestination.parameter[3].name')
  },

  'parameter-once': async (contract) => {
    const topic = contract.topic(anyPatient)
    await contract.fhir.put(topic)
    const post = (...parameter: NamedParameter[]) =>
      contract.fhir.request(
        'POST',
        '/AidboxTopicDestination',
        contract.destination(topic, 'records', { parameter }),
      )
    const twice = await post(integer('batchSize', 1), integer('batchSize', 2))
    assertRefused(twice, 'AidboxTopicDestination.parameter[4]')
    const twoValues = await post({ name: 'batchSize', valueInteger: 1, valueUnsignedInt: 2 })
    assertRefused(twoValues, 'AidboxTopicDestination.parameter')
  },

  'parameter-own': async (contract) => {
    const { certificatePassword } = contract.kafka
    await assertLetIn(contract, [
      text('sslKeystoreKey', await certificate(contract, 'client.encrypted.key')),
      text('sslKeystoreCertificateChain', await certificate(contract, 'client.crt')),
      text('sslKeyPassword', certificatePassword),
    ])
  },

  'parameter-own-login': async (contract) => {
    const { fhir, tokenEndpoint } = contract
    for (const kind of ['kafka-at-least-once', 'kafka-best-effort'] as const) {
      const secret = uniqueName('canary')
      const { id, read } = await contract.follow(anyPatient, {
        kind,
        parameter: tokenLogin(contract, secret),
      })
      const patientId = uniqueName('p')
      await fhir.put(patient(patientId))
      const isTold = (error: string) => /token endpoint .* refused the client/.test(error)
      const { errors } = await fhir.untilStatus(id, (status) => status.errors.some(isTold))
      tokenEndpoint.clientSecret = secret
      assert.equal((await read(1))[0]?.focus, `Patient/${patientId}`)
      assert.ok(!JSON.stringify([errors, contract.log]).includes(secret))
      await contract.forget()
    }
    const others = tokenLogin(contract).filter(
      ({ name }) => name !== 'saslOauthbearerTokenEndpointUrl',
    )
    const elsewhere = text('saslOauthbearerTokenEndpointUrl', 'https://login.example.org/token')
    await assertParametersRefused(contract, [
      ['saslOauthbearerTokenEndpointUrl', ...others],
      ['saslOauthbearerTokenEndpointUrl', ...others, elsewhere],
      ['awsRegion', ...mskExample, text('awsRegion', 'nowhere')],
    ])
  },
}
