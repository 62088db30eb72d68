import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { allowedServers } from '../../../src/kafka/bootstrap-servers.ts'
import { parameterFaults } from '../../../src/kafka/parameter-faults.ts'
import {
  kafkaParameterNames,
  type KafkaParameterName,
  type KafkaParameterValues,
} from '../../../src/kafka/parameter-table.ts'
import { toProducerConfig, type ProducerConfig } from '../../../src/kafka/producer-config.ts'
import { rdkafka } from '../../../src/kafka/rdkafka-binding.ts'
import { kafkaRecord } from '../../../src/notifications/kafka-record.ts'
import { effectiveConfig } from '../../helpers/effective-config.ts'
import {
  consumeRecords,
  newTopic,
  privateKafka,
  testKafka,
  uniqueName,
} from '../../helpers/kafka.ts'
import { recordBatches } from '../../helpers/record-batches.ts'
import { TokenEndpoint } from '../../helpers/token-endpoint.ts'
import {
  certificateFile,
  clientCertificate,
  jaas,
  mutualTlsListener,
  passwordLogin,
  saslListener,
  saslTlsListener,
  tokenLogin,
} from './logins.ts'
import { javaPartition, murmur2Vectors } from './murmur2-vectors.ts'
import { Causes, idempotentProducer, sent, transactionalProducer } from './producers.ts'
import { record } from './records.ts'

const kafka = await testKafka()
const { bootstrapServers } = kafka
const required = { kafkaTopic: 'any', bootstrapServers }

type Values = Partial<KafkaParameterValues>

function bestEffort(values: Values = {}): ProducerConfig {
  return toProducerConfig({ ...required, ...values }, 'best-effort')
}

function atLeastOnce(values: Values = {}): ProducerConfig {
  return toProducerConfig({ ...required, ...values }, 'at-least-once', uniqueName('tx'))
}

/** Asserts what librdkafka works with. */
async function assertEffective(
  config: ProducerConfig,
  global: Readonly<Record<string, string>>,
  topic: Readonly<Record<string, string>> = {},
): Promise<void> {
  const effective = await effectiveConfig(config)
  const told = (found: ReadonlyMap<string, string>, wanted: object) =>
    Object.fromEntries(Object.keys(wanted).map((name) => [name, found.get(name)]))
  assert.deepEqual(told(effective.global, global), global)
  assert.deepEqual(told(effective.topic, topic), topic)
}

const mutualTls: Values = {
  ...mutualTlsListener(kafka),
  ...clientCertificate(kafka),
  maxBlockMs: 5000,
}
const login: Values = {
  ...saslListener(kafka),
  ...passwordLogin('SCRAM-SHA-512', 'admin', kafka.users['admin'] ?? ''),
  maxBlockMs: 5000,
}

/** Resolves when the broker has acknowledged one record of a producer with these parameters. */
async function delivers(t: TestContext, values: Values): Promise<string> {
  const kafkaTopic = values.kafkaTopic ?? (await newTopic(bootstrapServers))
  await sent(idempotentProducer(t, { ...required, ...values, kafkaTopic }), record(kafkaTopic, 'a'))
  return kafkaTopic
}

/** The client certificate's user may do nothing, so the "no" to the topic proves that it was let in. */
async function isLetIn(t: TestContext, values: Values): Promise<void> {
  await assert.rejects(delivers(t, { ...mutualTls, ...values }), /authorization failed/i)
}

/** Resolves with what a producer says of its connection. */
async function fails(t: TestContext, values: Values, cause: RegExp): Promise<void> {
  const causes = new Causes()
  idempotentProducer(t, { ...required, ...values }, causes)
  await causes.until(cause)
}

/** What each row of the table does, at a real broker or in librdkafka's own account of its configuration. The type lacks no row. */
const proofs: Readonly<Record<KafkaParameterName, (t: TestContext) => Promise<void>>> = {
  async kafkaTopic(t) {
    const kafkaTopic = await newTopic(bootstrapServers)
    await delivers(t, { kafkaTopic })
    assert.equal((await consumeRecords(bootstrapServers, kafkaTopic, 1)).length, 1)
  },

  async bootstrapServers(t) {
    await delivers(t, { bootstrapServers: `127.0.0.1:1 , ${bootstrapServers}` })
    await fails(t, { bootstrapServers: '127.0.0.1:1', maxBlockMs: 200 }, /127\.0\.0\.1:1 /)
    await assertEffective(bestEffort({ bootstrapServers: ` ${bootstrapServers} ,127.0.0.1:1` }), {
      'metadata.broker.list': `${bootstrapServers},127.0.0.1:1`,
    })
  },

  async compressionType(t) {
    const repetitive = Buffer.alloc(9000, 'x')
    for (const compressionType of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
      const kafkaTopic = await newTopic(bootstrapServers)
      const values = { kafkaTopic, bootstrapServers, compressionType }
      if (compressionType === 'zstd' && !rdkafka.features.includes('zstd')) {
        const [fault] = parameterFaults(values)
        assert.match(fault?.message ?? '', /zstd is not in this build/)
        continue
      }
      await sent(idempotentProducer(t, values), record(kafkaTopic, 'a', repetitive))
      const transactional = transactionalProducer(t, values, kafkaTopic)
      await transactional.start()
      await transactional.sendPage([record(kafkaTopic, 'b', repetitive)])
      const batches = await recordBatches(bootstrapServers, kafkaTopic)
      assert.deepEqual(
        batches.filter(({ isControl }) => !isControl).map(({ codec }) => codec),
        [compressionType, compressionType],
      )
      // A consumer reads them whatever the codec.
      const read = await consumeRecords(bootstrapServers, kafkaTopic, 2)
      assert.deepEqual(
        read.map(({ value }) => value),
        [repetitive.toString(), repetitive.toString()],
      )
    }
  },

  async batchSize(t) {
    const sizes = async (batchSize: number | undefined) => {
      const kafkaTopic = await newTopic(bootstrapServers)
      const values = {
        kafkaTopic,
        bootstrapServers,
        ...(batchSize === undefined ? {} : { batchSize }),
      }
      const producer = transactionalProducer(t, values, kafkaTopic)
      await producer.start()
      const records = Array.from({ length: 40 }, (_, n) =>
        record(kafkaTopic, `${n}`, Buffer.alloc(1000, 'x')),
      )
      await producer.sendPage(records)
      const batches = await recordBatches(bootstrapServers, kafkaTopic)
      return batches.filter(({ isControl }) => !isControl)
    }
    assert.deepEqual(
      (await sizes(0)).map(({ recordCount }) => recordCount),
      Array.from({ length: 40 }, () => 1),
    )
    const limited = await sizes(5000)
    assert.ok(limited.every(({ bytes }) => bytes <= 5000))
    assert.ok(limited.some(({ recordCount }) => recordCount > 1))
    const free = await sizes(undefined)
    assert.ok(free.some(({ bytes }) => bytes > 5000))
  },

  async deliveryTimeoutMs(t) {
    await assertEffective(bestEffort(), {}, { 'message.timeout.ms': '120000' })
    await assertEffective(
      bestEffort({ deliveryTimeoutMs: 70_000 }),
      {},
      { 'message.timeout.ms': '70000' },
    )
    // The least value the table allows is one that librdkafka connects with.
    await assertEffective(bestEffort({ deliveryTimeoutMs: 10 }), {}, { 'message.timeout.ms': '10' })
    const inTransaction = atLeastOnce({ deliveryTimeoutMs: 70_000 })
    await assertEffective(inTransaction, {}, { 'message.timeout.ms': '59000' })
    await assertEffective(atLeastOnce(), {}, { 'message.timeout.ms': '30000' })
    const broker = await privateKafka(t)
    const kafkaTopic = await newTopic(broker.bootstrapServers)
    const producer = idempotentProducer(t, {
      kafkaTopic,
      bootstrapServers: broker.bootstrapServers,
      deliveryTimeoutMs: 1500,
    })
    await sent(producer, record(kafkaTopic, 'a'))
    broker.pause()
    await assert.rejects(sent(producer, record(kafkaTopic, 'b')), {
      message: /within deliveryTimeoutMs/,
    })
    broker.resume()
  },

  async maxBlockMs(t) {
    const property = 'topic.metadata.propagation.max.ms'
    await assertEffective(bestEffort(), { [property]: '60000' })
    await assertEffective(bestEffort({ maxBlockMs: 7000 }), { [property]: '7000' })
    await assertEffective(atLeastOnce({ maxBlockMs: 1500 }), { [property]: '1500' })
    // An open transaction does not wait for a topic that is missing.
    await assertEffective(atLeastOnce({ maxBlockMs: 4000 }), { [property]: '2000' })
    const kafkaTopic = uniqueName('missing')
    const failed = async (maxBlockMs: number): Promise<number> => {
      const values = { kafkaTopic, bootstrapServers, maxBlockMs }
      const unsent = sent(idempotentProducer(t, values), record(kafkaTopic, 'a'))
      await assert.rejects(unsent, { message: /^Unknown topic/ })
      return maxBlockMs
    }
    const patient = failed(60_000)
    patient.catch(() => undefined)
    assert.equal(await Promise.race([patient, failed(500)]), 500)
  },

  async maxRequestSize(t) {
    await assertEffective(bestEffort(), { 'message.max.bytes': '1048576' })
    await assertEffective(bestEffort({ maxRequestSize: 5000 }), { 'message.max.bytes': '5000' })
    const kafkaTopic = await newTopic(bootstrapServers)
    const values = { kafkaTopic, bootstrapServers, maxRequestSize: 5000 }
    const producer = idempotentProducer(t, values)
    // Compression does not make it smaller.
    const tooLarge = sent(producer, record(kafkaTopic, 'a', Buffer.alloc(5000, 'x')))
    await assert.rejects(tooLarge, { kind: 'poison', kafkaCode: 10, message: /5000/ })
    await sent(producer, record(kafkaTopic, 'a', Buffer.alloc(4700, 'x')))
  },

  async requestTimeoutMs() {
    const properties = (socketMs: number, ackMs: number) =>
      [{ 'socket.timeout.ms': `${socketMs}` }, { 'request.timeout.ms': `${ackMs}` }] as const
    await assertEffective(bestEffort(), ...properties(30_000, 30_000))
    await assertEffective(bestEffort({ requestTimeoutMs: 7000 }), ...properties(7000, 7000))
    await assertEffective(
      bestEffort({ requestTimeoutMs: 1_000_000 }),
      ...properties(300_000, 900_000),
    )
    await assertEffective(atLeastOnce(), ...properties(10_000, 30_000))
    const longer = atLeastOnce({ requestTimeoutMs: 70_000 })
    await assertEffective(longer, ...properties(59_000, 70_000))
  },

  async sslKeystoreKey(t) {
    await isLetIn(t, {})
    const { sslKeystoreCertificateChain: _, ...keyOnly } = mutualTls
    await isLetIn(t, {
      ...keyOnly,
      sslKeystoreKey: Object.values(clientCertificate(kafka)).join('').replaceAll('\n', ' '),
    })
    const { sslKeystoreKey: other } = clientCertificate(kafka, 'rogue')
    const [fault] = parameterFaults({ ...required, ...mutualTls, sslKeystoreKey: other })
    assert.equal(fault?.parameter, 'sslKeystoreKey')
  },

  async sslKeystoreCertificateChain(t) {
    await isLetIn(t, {
      sslKeystoreCertificateChain:
        certificateFile(kafka, 'client.crt') + certificateFile(kafka, 'test-ca.crt'),
    })
    await fails(t, { ...mutualTls, ...clientCertificate(kafka, 'rogue') }, /client certificate/)
  },

  async sslKeyPassword(t) {
    const sslKeystoreKey = certificateFile(kafka, 'client.encrypted.key')
    await isLetIn(t, { sslKeystoreKey, sslKeyPassword: kafka.certificatePassword })
  },

  async sslTruststoreCertificates(t) {
    const { sslTruststoreCertificates: own, ...listener } = saslTlsListener(kafka)
    const overTls = { ...login, ...listener }
    const rogue = certificateFile(kafka, 'rogue-ca.crt')
    await delivers(t, { ...overTls, sslTruststoreCertificates: rogue + own })
    const distrusting = { ...overTls, sslTruststoreCertificates: rogue }
    await fails(t, distrusting, /not signed by a trusted authority/)
    // Without any, those of the system, which do not know the tests' authority.
    await fails(t, overTls, /not signed by a trusted authority/)
  },

  async securityProtocol(t) {
    await delivers(t, { securityProtocol: 'PLAINTEXT' })
    await isLetIn(t, { securityProtocol: 'ssl' })
    await delivers(t, login)
    await delivers(t, { ...login, ...saslTlsListener(kafka) })
  },

  async saslMechanism(t) {
    for (const saslMechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-512']) {
      await delivers(t, { ...login, saslMechanism })
    }
    const [fault] = parameterFaults({ ...required, ...login, saslMechanism: 'PLAIN' })
    assert.equal(fault?.parameter, 'saslJaasConfig')
  },

  async saslJaasConfig(t) {
    await delivers(t, login)
    const wrong = { saslJaasConfig: login.saslJaasConfig?.replace(/password="/, '$&x') ?? '' }
    await fails(t, { ...login, ...wrong }, /refused the login/)
  },

  saslClientCallbackHandlerClass() {
    const values = { ...required, ...login, saslClientCallbackHandlerClass: 'com.example.Handler' }
    const [fault] = parameterFaults(values)
    assert.equal(fault?.parameter, 'saslClientCallbackHandlerClass')
    return Promise.resolve()
  },

  async saslOauthbearerTokenEndpointUrl(t) {
    const endpoint = await TokenEndpoint.start(t)
    await delivers(t, { ...login, ...tokenLogin(endpoint) })
    assert.equal(endpoint.calls.length, 1)
  },

  awsRegion() {
    const values = {
      ...required,
      bootstrapServers: 'b-1.kafka.example.org:9098',
      securityProtocol: 'SASL_SSL',
      saslMechanism: 'AWS_MSK_IAM',
      saslJaasConfig: jaas('AWS_MSK_IAM', ''),
      awsRegion: 'eu-north-1',
    }
    const isAllowed = allowedServers(['*.kafka.example.org:9098'])
    const { tokens } = toProducerConfig(values, 'best-effort', undefined, isAllowed)
    assert.ok(tokens && 'region' in tokens)
    assert.equal(tokens.region, 'eu-north-1')
    return Promise.resolve()
  },

  async keyByResourceId(t) {
    const kafkaTopic = await newTopic(bootstrapServers, { partitions: 3 })
    const producer = idempotentProducer(t, { kafkaTopic, bootstrapServers })
    for (const keyByResourceId of [true, false]) {
      await sent(producer, recordOf(kafkaTopic, keyByResourceId))
    }
    const records = await consumeRecords(bootstrapServers, kafkaTopic, 2)
    assert.deepEqual(new Set(records.map(({ key }) => key)), new Set(['foobar', null]))
    const hash = murmur2Vectors.find(([key]) => key === 'foobar')?.[1] ?? 0
    assert.equal(records.find(({ key }) => key !== null)?.partition, javaPartition(hash, 3))
  },
}

function recordOf(kafkaTopic: string, keyByResourceId: boolean) {
  return kafkaRecord(
    {
      topicUrl: 'http://example.org/topic',
      eventNumber: 1,
      eventId: '1',
      interaction: 'create',
      resourceType: 'Patient',
      resourceId: 'foobar',
      versionId: '1',
      at: new Date(0),
      body: '{"resourceType":"Patient","id":"foobar"}',
    },
    {
      reference: 'AidboxTopicDestination/d',
      kafkaTopic,
      keyByResourceId,
      content: 'empty',
      includeEntryAction: false,
      includeVersionId: false,
      includeVersionIdInFocusReference: false,
    },
    { baseUrl: 'https://fhir.example.org/fhir', cloudEventsHeaders: false },
  )
}

describe('each parameter does what its row says', () => {
  for (const [name, proof] of Object.entries(proofs)) it(name, proof)

  it('no row is without a proof', () => {
    assert.deepEqual(Object.keys(proofs).toSorted(), kafkaParameterNames.toSorted())
  })
})

describe('what no parameter sets', () => {
  it('is as in Java, or as it was measured to be better', async () => {
    const common = {
      'enable.idempotence': 'true',
      'reconnect.backoff.max.ms': '1000',
      'socket.keepalive.enable': 'true',
      'security.protocol': 'plaintext',
    }
    const topic = { 'request.required.acks': '-1', partitioner: 'murmur2_random' }
    await assertEffective(
      bestEffort(),
      { ...common, 'queue.buffering.max.kbytes': '32768', 'queue.buffering.max.ms': '20' },
      topic,
    )
    await assertEffective(
      atLeastOnce(),
      { ...common, 'transaction.timeout.ms': '60000', 'queue.buffering.max.ms': '0' },
      topic,
    )
    const { global } = await effectiveConfig(bestEffort())
    // librdkafka's own: Java's 16384 for batches costs a quarter of the records.
    for (const unset of [
      'batch.size',
      'compression.codec',
      'message.send.max.retries',
      'ssl.ca.pem',
    ]) {
      assert.equal(global.get(unset), undefined, unset)
    }
  })

  it('a property of topics has no effect where it stands among the global ones', async () => {
    const { global, topic } = bestEffort({ deliveryTimeoutMs: 70_000 })
    const misplaced = await effectiveConfig({
      global: { ...global, ...topic },
      topic: { acks: 'all' },
    })
    assert.notEqual(misplaced.topic.get('message.timeout.ms'), '70000')
    assert.notEqual(misplaced.topic.get('partitioner'), 'murmur2_random')
  })

  it("puts keys on the partitions of Java's murmur2", async (t) => {
    const partitions = 13
    const kafkaTopic = await newTopic(bootstrapServers, { partitions })
    const page = murmur2Vectors.map(([key]) => record(kafkaTopic, key))
    const producer = transactionalProducer(t, { kafkaTopic, bootstrapServers }, kafkaTopic)
    await producer.start()
    await producer.sendPage(page)
    const shared = idempotentProducer(t, { kafkaTopic, bootstrapServers })
    await Promise.all(page.map((each) => sent(shared, each)))
    const read = await consumeRecords(bootstrapServers, kafkaTopic, 2 * page.length)
    for (const [key, hash] of murmur2Vectors) {
      const found = read.filter((each) => each.key === key).map(({ partition }) => partition)
      const expected = javaPartition(hash, partitions)
      assert.deepEqual(found, [expected, expected], key)
    }
  })
})
