import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { toProducerConfig } from '../../../src/kafka/producer-config.ts'
import { ProducerPool } from '../../../src/kafka/producer-pool.ts'
import { createIdempotentProducer } from '../../../src/kafka/rdkafka-idempotent-producer.ts'
import { silentLogger } from '../../../src/observability/logger.ts'
import { newTopic, testKafka } from '../../helpers/kafka.ts'
import { Causes, idempotentProducer, sent } from './producers.ts'
import { keysOf, readCommitted, record } from './records.ts'

/** Nothing listens there. */
const deadBroker = '127.0.0.1:1'

const { bootstrapServers } = await testKafka()

describe('idempotent producer', () => {
  for (const compressionType of ['none', 'gzip', 'snappy', 'lz4']) {
    it(`delivers in order, with key and headers, compression ${compressionType}`, async (t) => {
      const kafkaTopic = await newTopic(bootstrapServers)
      const producer = idempotentProducer(t, { kafkaTopic, bootstrapServers, compressionType })
      const keys = Array.from({ length: 300 }, (_, index) => (index % 3 === 0 ? null : `k${index}`))
      // The first ones are handed over before there is a connection.
      await Promise.all(keys.map((key) => sent(producer, record(kafkaTopic, key))))
      const records = await readCommitted(
        bootstrapServers,
        kafkaTopic,
        ({ length }) => length === 300,
      )
      assert.deepEqual(keysOf(records), keys)
      assert.deepEqual(records[1]?.headers, [
        ['ce_id', 'id of k1'],
        ['content-type', 'application/fhir+json'],
      ])
      assert.equal(records[1].value, 'value of k1')
    })
  }

  it('puts keys on the partitions where Java puts them', async (t) => {
    // Hashes of Kafka's own UtilsTest.testMurmur2; the default partitioner takes (hash & 0x7fffffff) % partitions.
    const hashes: Readonly<Record<string, number>> = {
      '21': -973_932_308,
      foobar: -790_332_482,
      'a-little-bit-long-string': -985_981_536,
      'a-little-bit-longer-string': -1_486_304_829,
      lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8: -58_897_971,
    }
    const partitions = 16
    const kafkaTopic = await newTopic(bootstrapServers, { partitions })
    const producer = idempotentProducer(t, { kafkaTopic, bootstrapServers })
    await Promise.all(Object.keys(hashes).map((key) => sent(producer, record(kafkaTopic, key))))
    const records = await readCommitted(bootstrapServers, kafkaTopic, ({ length }) => length === 5)
    for (const { key, partition } of records) {
      assert.equal(partition, ((hashes[key ?? ''] ?? 0) & 0x7f_ff_ff_ff) % partitions, key ?? '')
    }
  })

  it('settles what can never be delivered, and goes on', async (t) => {
    const kafkaTopic = await newTopic(bootstrapServers, { config: { 'max.message.bytes': '5000' } })
    const producer = idempotentProducer(t, { kafkaTopic, bootstrapServers, maxRequestSize: 20_000 })
    await sent(producer, record(kafkaTopic, 'a'))
    const poison = { kind: 'poison', kafkaCode: 10, poisonIndexes: [0], message: /too large/ }
    await assert.rejects(sent(producer, record(kafkaTopic, 'local', Buffer.alloc(20_000))), poison)
    await assert.rejects(sent(producer, record(kafkaTopic, 'topic', Buffer.alloc(9000))), poison)
    // The batch behind a refused one may be refused for its sequence number, once.
    for (let isSent = false; !isSent;) {
      isSent = await sent(producer, record(kafkaTopic, 'b')).then(
        () => true,
        () => false,
      )
    }
    assert.deepEqual(
      keysOf(await readCommitted(bootstrapServers, kafkaTopic, ({ length }) => length >= 2)),
      ['a', 'b'],
    )
  })

  it('names an unknown topic after maxBlockMs', async (t) => {
    const producer = idempotentProducer(t, {
      kafkaTopic: 'nowhere',
      bootstrapServers,
      maxBlockMs: 500,
    })
    const unknown = { kind: 'retriable', message: /^Unknown topic: Kafka topic "nowhere"/ }
    await assert.rejects(sent(producer, record('nowhere', 'a')), unknown)
    await assert.rejects(sent(producer, record('nowhere', 'b')), unknown)
  })

  it('keeps no more than maxBufferedBytes, and says why the rest is lost', async (t) => {
    const config = toProducerConfig(
      { kafkaTopic: 't', bootstrapServers: deadBroker },
      'best-effort',
    )
    const causes = new Causes()
    const producer = createIdempotentProducer(
      { ...config, maxBufferedBytes: 10_000 },
      silentLogger,
      causes,
    )
    t.after(() => producer.close(0))
    await causes.until(/Kafka broker 127\.0\.0\.1:1 cannot be reached: Connection refused/)
    const kept = [1, 2].map((each) => sent(producer, record('t', `${each}`, Buffer.alloc(4000))))
    await assert.rejects(sent(producer, record('t', '3', Buffer.alloc(4000))), {
      kind: 'retriable',
      message: /buffer of 10000 bytes.*is full.*Connection refused/,
    })
    const outcomes = Promise.allSettled(kept)
    await producer.close(0)
    for (const outcome of await outcomes) {
      assert.ok(outcome.status === 'rejected')
      assert.match(String(outcome.reason), /Delivery was stopped.*Connection refused/)
    }
    await assert.rejects(sent(producer, record('t', '4')), { message: /Delivery was stopped/ })
  })

  it('gives a record up after deliveryTimeoutMs without a connection', async (t) => {
    const values = { kafkaTopic: 't', bootstrapServers: deadBroker, deliveryTimeoutMs: 100 }
    const producer = idempotentProducer(t, values)
    await assert.rejects(sent(producer, record('t', 'a')), {
      kind: 'retriable',
      message: /within deliveryTimeoutMs \(100\)/,
    })
  })

  it('keeps the process until a record without a connection is settled, and no longer', async () => {
    const script = fileURLToPath(new URL('send-and-end.ts', import.meta.url))
    const { stdout } = await promisify(execFile)(process.execPath, [
      ...['--import', 'tsx', script],
      deadBroker,
    ])
    assert.match(stdout, /^Kafka could not take the record within deliveryTimeoutMs \(2000\)\./)
  })

  it('is shared by a pool until its last lease is released', async () => {
    const kafkaTopic = await newTopic(bootstrapServers)
    const pool = new ProducerPool()
    const config = toProducerConfig({ kafkaTopic, bootstrapServers }, 'best-effort')
    const first = pool.acquire(config, silentLogger)
    const second = pool.acquire(config, silentLogger)
    await sent(first.producer, record(kafkaTopic, 'a'))
    await first.release(5000)
    const outstanding = sent(second.producer, record(kafkaTopic, 'b'))
    await second.release(20_000)
    await outstanding
    await assert.rejects(sent(second.producer, record(kafkaTopic, 'c')), /Delivery was stopped/)
    await pool.close(0)
    assert.deepEqual(
      keysOf(await readCommitted(bootstrapServers, kafkaTopic, ({ length }) => length >= 2)),
      ['a', 'b'],
    )
  })
})
