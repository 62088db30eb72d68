import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { KafkaParameterValues } from '../../../src/kafka/parameter-table.ts'
import { createTopic, newTopic, testKafka } from '../../helpers/kafka.ts'
import { transactionalProducer } from './producers.ts'
import { keysOf, longPageAfterLarge, readCommitted, record } from './records.ts'

const { bootstrapServers } = await testKafka()

describe('transactional producer', () => {
  for (const compressionType of ['none', 'gzip', 'snappy', 'lz4']) {
    it(`delivers in order, with key and headers, compression ${compressionType}`, async (t) => {
      const kafkaTopic = await newTopic(bootstrapServers)
      const producer = transactionalProducer(
        t,
        { kafkaTopic, bootstrapServers, compressionType },
        kafkaTopic,
      )
      await producer.start()
      const keys = Array.from({ length: 300 }, (_, index) => (index % 3 === 0 ? null : `k${index}`))
      await producer.sendPage(keys.slice(0, 100).map((key) => record(kafkaTopic, key)))
      await producer.sendPage(keys.slice(100).map((key) => record(kafkaTopic, key)))
      const records = await readCommitted(
        bootstrapServers,
        kafkaTopic,
        ({ length }) => length === 300,
      )
      assert.deepEqual(keysOf(records), keys)
      assert.deepEqual(records[1], {
        key: 'k1',
        value: 'value of k1',
        headers: [
          ['ce_id', 'id of k1'],
          ['content-type', 'application/fhir+json'],
        ],
        partition: 0,
      })
    })
  }

  it('aborts what must not be committed after all, and goes on', async (t) => {
    const kafkaTopic = await newTopic(bootstrapServers)
    const producer = transactionalProducer(t, { kafkaTopic, bootstrapServers }, kafkaTopic)
    await producer.start()
    const why = new Error('not acknowledged')
    await assert.rejects(
      producer.sendPage([record(kafkaTopic, 'given up')], () => Promise.reject(why)),
      why,
    )
    let calls = 0
    await producer.sendPage([record(kafkaTopic, 'kept')], () => {
      calls++
      return Promise.resolve(undefined)
    })
    const records = await readCommitted(bootstrapServers, kafkaTopic, ({ length }) => length > 0)
    assert.deepEqual([keysOf(records), calls], [['kept'], 1])
  })

  it('takes the outermost values of every number', async (t) => {
    const kafkaTopic = await newTopic(bootstrapServers)
    const extremes: readonly Partial<KafkaParameterValues>[] = [
      {
        batchSize: 0,
        deliveryTimeoutMs: 10_000,
        requestTimeoutMs: 10_000,
        maxRequestSize: 1000,
        maxBlockMs: 10_000,
      },
      {
        batchSize: 2_147_483_647,
        deliveryTimeoutMs: 2_147_483_647,
        requestTimeoutMs: 2_147_483_647,
        maxRequestSize: 1_000_000_000,
        maxBlockMs: 2_147_483_647,
      },
    ]
    for (const values of extremes) {
      const producer = transactionalProducer(
        t,
        { kafkaTopic, bootstrapServers, ...values },
        kafkaTopic,
      )
      await producer.start()
      await producer.sendPage([record(kafkaTopic, 'a')])
    }
    await readCommitted(bootstrapServers, kafkaTopic, ({ length }) => length === 2)
  })

  it('names a record over maxRequestSize before anything is begun; its neighbours go through', async (t) => {
    const kafkaTopic = await newTopic(bootstrapServers)
    const producer = transactionalProducer(
      t,
      { kafkaTopic, bootstrapServers, maxRequestSize: 20_000 },
      kafkaTopic,
    )
    await producer.start()
    const page = [
      record(kafkaTopic, 'a'),
      record(kafkaTopic, 'b', Buffer.alloc(20_000)),
      record(kafkaTopic, 'c'),
    ]
    await assert.rejects(producer.sendPage(page), {
      kind: 'poison',
      kafkaCode: 10,
      poisonIndexes: [1],
      message: /too large.* 20000/,
    })
    await producer.sendPage(page.filter((_, index) => index !== 1))
    const records = await readCommitted(bootstrapServers, kafkaTopic, ({ length }) => length === 2)
    assert.deepEqual(keysOf(records), ['a', 'c'])
  })

  it('aborts a page with a record over the limit of the topic: none of it is readable, smaller pages find the record', async (t) => {
    const kafkaTopic = await newTopic(bootstrapServers, { config: { 'max.message.bytes': '5000' } })
    const producer = transactionalProducer(t, { kafkaTopic, bootstrapServers }, kafkaTopic)
    await producer.start()
    const [a, b, c] = [
      record(kafkaTopic, 'a'),
      record(kafkaTopic, 'b', Buffer.alloc(9000, 'x')),
      record(kafkaTopic, 'c'),
    ] as const
    const message = new RegExp(`too large.*${kafkaTopic}`)
    await assert.rejects(producer.sendPage([a, b, c]), {
      kind: 'poison',
      poisonIndexes: [],
      message,
    })
    await producer.sendPage([a])
    await assert.rejects(producer.sendPage([b]), {
      kind: 'poison',
      poisonIndexes: [0],
      message,
    })
    await producer.sendPage([c])
    const records = await readCommitted(bootstrapServers, kafkaTopic, ({ length }) => length >= 2)
    assert.deepEqual(keysOf(records), ['a', 'c'])
  })

  it('says the same when the topic refuses it before the page is handed over', async (t) => {
    const kafkaTopic = await newTopic(bootstrapServers, { config: { 'max.message.bytes': '5000' } })
    const values = { kafkaTopic, bootstrapServers, batchSize: 0 }
    const producer = transactionalProducer(t, values, kafkaTopic)
    await producer.start()
    await assert.rejects(producer.sendPage(longPageAfterLarge(kafkaTopic)), {
      kind: 'poison',
      message: /^Message too large/,
    })
    await producer.sendPage([record(kafkaTopic, 'after')])
    const records = await readCommitted(bootstrapServers, kafkaTopic, ({ length }) => length > 0)
    assert.deepEqual(keysOf(records), ['after'])
  })

  it('names the record itself when Kafka refused it alone among others', async (t) => {
    const kafkaTopic = await newTopic(bootstrapServers, { config: { 'max.message.bytes': '5000' } })
    // Every record is a batch of its own.
    const producer = transactionalProducer(
      t,
      { kafkaTopic, bootstrapServers, batchSize: 0 },
      kafkaTopic,
    )
    await producer.start()
    const page = [record(kafkaTopic, 'a'), record(kafkaTopic, 'b', Buffer.alloc(9000, 'x'))]
    await assert.rejects(producer.sendPage(page), { kind: 'poison', poisonIndexes: [1] })
  })

  it('is fenced by a second producer of the same transactional.id', async (t) => {
    const kafkaTopic = await newTopic(bootstrapServers)
    const first = transactionalProducer(t, { kafkaTopic, bootstrapServers }, kafkaTopic)
    const second = transactionalProducer(t, { kafkaTopic, bootstrapServers }, kafkaTopic)
    await first.start()
    await first.sendPage([record(kafkaTopic, 'first')])
    await second.start()
    await assert.rejects(first.sendPage([record(kafkaTopic, 'fenced')]), {
      kind: 'fenced',
      kafkaCode: -144,
    })
    await assert.rejects(first.sendPage([record(kafkaTopic, 'dead')]), { kind: 'fatal' })
    await second.sendPage([record(kafkaTopic, 'second')])
    const records = await readCommitted(bootstrapServers, kafkaTopic, (read) =>
      keysOf(read).includes('second'),
    )
    assert.deepEqual(keysOf(records), ['first', 'second'])
  })

  it('retries an unknown topic, names it, and goes on once it exists', async (t) => {
    const existing = await newTopic(bootstrapServers)
    const missing = `${existing}-missing`
    const producer = transactionalProducer(
      t,
      { kafkaTopic: missing, bootstrapServers, maxBlockMs: 1000 },
      existing,
    )
    await producer.start()
    const page = [record(existing, 'a'), record(missing, 'b')]
    const unknown = {
      kind: 'retriable',
      poisonIndexes: [],
      message: new RegExp(`^Unknown topic: Kafka topic "${missing}"`),
    }
    await assert.rejects(producer.sendPage(page), unknown)
    await assert.rejects(producer.sendPage(page), unknown)
    await createTopic(bootstrapServers, missing)
    for (let isSent = false; !isSent;) {
      try {
        await producer.sendPage(page)
        isSent = true
      } catch (error) {
        assert.match(String(error), /Unknown topic/)
      }
    }
    assert.deepEqual(
      keysOf(await readCommitted(bootstrapServers, existing, ({ length }) => length >= 1)),
      ['a'],
    )
    assert.deepEqual(
      keysOf(await readCommitted(bootstrapServers, missing, ({ length }) => length >= 1)),
      ['b'],
    )
  })

  it('cannot be used before start, nor after close', async (t) => {
    const producer = transactionalProducer(
      t,
      { kafkaTopic: 'any', bootstrapServers },
      'never-started',
    )
    await assert.rejects(producer.sendPage([record('any', 'a')]), { kind: 'fatal' })
    await producer.close(0)
    await assert.rejects(producer.start(), { kind: 'fatal' })
  })

  it('finishes the commit under way when it is closed', async (t) => {
    const kafkaTopic = await newTopic(bootstrapServers)
    const producer = transactionalProducer(t, { kafkaTopic, bootstrapServers }, kafkaTopic)
    await producer.start()
    const page = Array.from({ length: 2000 }, (_, index) => record(kafkaTopic, `k${index}`))
    const committed = producer.sendPage(page)
    await Promise.all([committed, producer.close(20_000), producer.close(20_000)])
    await readCommitted(bootstrapServers, kafkaTopic, ({ length }) => length === 2000)
  })
})
