import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import rdkafka from 'node-rdkafka'
import { rdkafkaCall } from '../../../src/kafka/rdkafka-call.ts'
import {
  consumeRecords,
  createTopic,
  newTopic,
  privateKafka,
  testKafka,
  uniqueName,
} from '../../helpers/kafka.ts'

type Configuration = Record<string, string | number | boolean>

/** Produces the values in order and resolves when all are delivered. */
async function produce(
  configuration: Configuration,
  topic: string,
  values: readonly string[],
): Promise<void> {
  const producer = new rdkafka.Producer(
    { dr_cb: true, log_level: 0, 'reconnect.backoff.max.ms': 500, ...configuration },
    {},
  )
  await rdkafkaCall((done) => producer.connect({ timeout: 15_000 }, done))
  try {
    await new Promise<void>((resolve, reject) => {
      let delivered = 0
      producer.setPollInterval(10)
      producer.on('delivery-report', (error) => {
        if (error as unknown) reject(new Error(error.message))
        else if (++delivered === values.length) resolve()
      })
      for (const value of values) {
        producer.produce(topic, null, Buffer.from(value), 'key', null, null, [{ trace: 'abc' }])
      }
    })
  } finally {
    await new Promise<void>((resolve) => {
      producer.disconnect(() => {
        resolve()
      })
    })
  }
}

describe('the Kafka of the tests', () => {
  it('takes records and gives them back with key, value and headers', async () => {
    const { bootstrapServers } = await testKafka()
    const topic = await newTopic(bootstrapServers, { partitions: 3 })
    await produce({ 'bootstrap.servers': bootstrapServers }, topic, ['one', 'two'])
    const records = await consumeRecords(bootstrapServers, topic, 2)
    assert.deepEqual(
      records.map(({ key, value, headers }) => ({ key, value, headers })),
      [
        { key: 'key', value: 'one', headers: { trace: 'abc' } },
        { key: 'key', value: 'two', headers: { trace: 'abc' } },
      ],
    )
    assert.equal(records[0]?.partition, records[1]?.partition)
    assert.deepEqual(
      records.map(({ offset }) => offset),
      [0, 1],
    )
  })

  it('does not create a topic by use and says what was read at the deadline', async () => {
    const { bootstrapServers } = await testKafka()
    const topic = uniqueName('absent')
    const consume = () => consumeRecords(bootstrapServers, topic, 1, { deadlineMs: 1_000 })
    await assert.rejects(consume(), /does not exist/)
    await createTopic(bootstrapServers, topic)
    await assert.rejects(consume(), /read 0/)
  })

  for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']) {
    it(`authenticates ${mechanism} with and without TLS`, async () => {
      const kafka = await testKafka()
      const topic = await newTopic(kafka.bootstrapServers)
      const login = {
        'sasl.mechanisms': mechanism,
        'sasl.username': 'admin',
        'sasl.password': kafka.users['admin'] ?? '',
      }
      await produce(
        {
          'bootstrap.servers': kafka.saslBootstrapServers,
          'security.protocol': 'sasl_plaintext',
          ...login,
        },
        topic,
        ['plain'],
      )
      await produce(
        {
          'bootstrap.servers': kafka.saslSslBootstrapServers,
          'security.protocol': 'sasl_ssl',
          'ssl.ca.location': join(kafka.certificates, 'test-ca.crt'),
          ...login,
        },
        topic,
        ['encrypted'],
      )
      const records = await consumeRecords(kafka.bootstrapServers, topic, 2)
      assert.deepEqual(
        records.map(({ value }) => value),
        ['plain', 'encrypted'],
      )
    })
  }

  it('takes a client certificate of its own authority and refuses one of another', async () => {
    const kafka = await testKafka()
    const tls = (name: string): Configuration => ({
      'bootstrap.servers': kafka.mtlsBootstrapServers,
      'security.protocol': 'ssl',
      'ssl.ca.location': join(kafka.certificates, 'test-ca.crt'),
      'ssl.certificate.location': join(kafka.certificates, `${name}.crt`),
      'ssl.key.location': join(kafka.certificates, `${name}.encrypted.key`),
      'ssl.key.password': kafka.certificatePassword,
    })
    assert.deepEqual(await canConnect(tls('client')), true)
    assert.deepEqual(await canConnect(tls('rogue')), false)
  })

  it('comes back after kill and pause with its records', async (t) => {
    const broker = await privateKafka(t)
    const { bootstrapServers } = broker
    const topic = await newTopic(bootstrapServers)
    await produce({ 'bootstrap.servers': bootstrapServers }, topic, ['before'])
    const { processId } = broker
    await broker.kill()
    assert.throws(() => broker.processId, /not running/)
    await broker.start()
    assert.notEqual(broker.processId, processId)
    broker.pause()
    broker.resume()
    await produce({ 'bootstrap.servers': bootstrapServers }, topic, ['after'])
    const records = await consumeRecords(bootstrapServers, topic, 2)
    assert.deepEqual(
      records.map(({ value }) => value),
      ['before', 'after'],
    )
  })

  it('gives the certificates by path', async () => {
    const { certificates } = await testKafka()
    assert.ok(existsSync(join(certificates, 'client.p12')))
    assert.match(readFileSync(join(certificates, 'client.key'), 'utf8'), /BEGIN PRIVATE KEY/)
  })
})

async function canConnect(configuration: Configuration): Promise<boolean> {
  const producer = new rdkafka.Producer({ log_level: 0, ...configuration }, {})
  const isConnected = await new Promise<boolean>((resolve) => {
    producer.on('event.error', () => undefined)
    producer.connect({ timeout: 3_000 }, (error) => {
      resolve(!(error as unknown))
    })
  })
  if (isConnected) {
    await new Promise<void>((resolve) => {
      producer.disconnect(() => {
        resolve()
      })
    })
  }
  return isConnected
}
