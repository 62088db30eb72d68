import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { KafkaParameterValues } from '../../../src/kafka/parameter-table.ts'
import { createTopic, newTopic, privateKafka, testKafka } from '../../helpers/kafka.ts'
import { Causes, plainPageProducer } from './producers.ts'
import { keysOf, longPageAfterLarge, readCommitted, record } from './records.ts'

const { bootstrapServers } = await testKafka()

const page = (kafkaTopic: string, ...names: readonly string[]) =>
  names.map((name) => record(kafkaTopic, name))

/** A started producer of a broker that is to be struck. */
async function onPrivateBroker(t: TestContext, more: Partial<KafkaParameterValues> = {}) {
  const broker = await privateKafka(t)
  const { bootstrapServers: servers } = broker
  const kafkaTopic = await newTopic(servers)
  const causes = new Causes()
  const values = { kafkaTopic, bootstrapServers: servers, ...more }
  const producer = plainPageProducer(t, values, causes)
  await producer.start()
  return { broker, servers, kafkaTopic, causes, producer }
}

describe('page producer without transactions', () => {
  it('delivers in order, with key and headers, and resolves when Kafka has the page', async (t) => {
    const kafkaTopic = await newTopic(bootstrapServers)
    const producer = plainPageProducer(t, { kafkaTopic, bootstrapServers })
    await producer.start()
    const keys = Array.from({ length: 3000 }, (_, index) => `k${index}`)
    const before: number[] = []
    for (const start of [0, 1000, 2000]) {
      await producer.sendPage(page(kafkaTopic, ...keys.slice(start, start + 1000)), () => {
        before.push(start)
        return Promise.resolve(undefined)
      })
    }
    assert.deepEqual(before, [0, 1000, 2000])
    const records = await readCommitted(
      bootstrapServers,
      kafkaTopic,
      ({ length }) => length >= 3000,
    )
    assert.deepEqual(keysOf(records), keys)
    assert.deepEqual(records[0]?.headers, [
      ['ce_id', 'id of k0'],
      ['content-type', 'application/fhir+json'],
    ])
  })

  it('sends nothing of a page that must not be sent after all, and goes on', async (t) => {
    const kafkaTopic = await newTopic(bootstrapServers)
    const producer = plainPageProducer(t, { kafkaTopic, bootstrapServers })
    await producer.start()
    const why = new Error('not acknowledged')
    await assert.rejects(
      producer.sendPage(page(kafkaTopic, 'given up'), () => Promise.reject(why)),
      why,
    )
    await producer.sendPage(page(kafkaTopic, 'kept'))
    const records = await readCommitted(bootstrapServers, kafkaTopic, ({ length }) => length > 0)
    assert.deepEqual(keysOf(records), ['kept'])
  })

  it('keeps no checkpoints, and says so', async (t) => {
    const producer = plainPageProducer(t, { kafkaTopic: 't', bootstrapServers })
    await producer.start()
    const expected = { kind: 'no-checkpoint', message: /option transactional is false/ }
    await assert.rejects(producer.readCheckpoint(), expected)
    await assert.rejects(producer.probeCheckpoint(), expected)
  })

  it('names a record over maxRequestSize before anything is sent', async (t) => {
    const kafkaTopic = await newTopic(bootstrapServers)
    const values = { kafkaTopic, bootstrapServers, maxRequestSize: 20_000 }
    const producer = plainPageProducer(t, values)
    await producer.start()
    const large = record(kafkaTopic, 'b', Buffer.alloc(20_000))
    await assert.rejects(producer.sendPage([record(kafkaTopic, 'a'), large]), {
      kind: 'poison',
      poisonIndexes: [1],
    })
    await producer.sendPage(page(kafkaTopic, 'c'))
    const records = await readCommitted(bootstrapServers, kafkaTopic, ({ length }) => length > 0)
    assert.deepEqual(keysOf(records), ['c'])
  })

  it('lets no record overtake one that the topic refuses; smaller pages find that one', async (t) => {
    const kafkaTopic = await newTopic(bootstrapServers, { config: { 'max.message.bytes': '5000' } })
    const producer = plainPageProducer(t, { kafkaTopic, bootstrapServers, batchSize: 0 })
    await producer.start()
    const large = record(kafkaTopic, 'large', Buffer.alloc(9000, 'x'))
    const around = [...page(kafkaTopic, 'a', 'b'), large, ...page(kafkaTopic, 'c', 'd')]
    await assert.rejects(producer.sendPage(around), { kind: 'poison' })
    await assert.rejects(producer.sendPage([large]), { kind: 'poison', poisonIndexes: [0] })
    await producer.sendPage(page(kafkaTopic, 'c', 'd'))
    const records = await readCommitted(bootstrapServers, kafkaTopic, (read) =>
      keysOf(read).includes('d'),
    )
    const readable = keysOf(records)
    assert.deepEqual(readable.slice(-2), ['c', 'd'])
    assert.deepEqual(
      readable.filter((key) => key === 'c' || key === 'd'),
      ['c', 'd'],
      'nothing behind the refused record came through with it',
    )
  })

  it('says the same when the topic refuses it before the page is handed over', async (t) => {
    const kafkaTopic = await newTopic(bootstrapServers, { config: { 'max.message.bytes': '5000' } })
    const values = { kafkaTopic, bootstrapServers, batchSize: 0 }
    const producer = plainPageProducer(t, values)
    await producer.start()
    await assert.rejects(producer.sendPage(longPageAfterLarge(kafkaTopic)), {
      kind: 'poison',
      message: /^Message too large/,
    })
    await producer.sendPage(page(kafkaTopic, 'after'))
  })

  it('says that the topic is missing, and goes on when it is there', async (t) => {
    const broker = await privateKafka(t)
    const kafkaTopic = 'comes-later'
    const producer = plainPageProducer(t, {
      kafkaTopic,
      bootstrapServers: broker.bootstrapServers,
      maxBlockMs: 1000,
    })
    await producer.start()
    await assert.rejects(producer.sendPage(page(kafkaTopic, 'a')), {
      kind: 'retriable',
      message: /does not exist/,
    })
    await createTopic(broker.bootstrapServers, kafkaTopic)
    await producer.sendPage(page(kafkaTopic, 'a'))
  })

  it('goes on after a crash of the broker in the middle of a page, in order', async (t) => {
    const { broker, servers, kafkaTopic, causes, producer } = await onPrivateBroker(t)
    await producer.sendPage(page(kafkaTopic, 'a'))
    await broker.kill()
    const whileDown = producer.sendPage(page(kafkaTopic, 'b', 'c'))
    await causes.until(/cannot be reached: Connection refused/)
    await broker.start()
    await whileDown
    const large = Array.from({ length: 5000 }, (_, index) => `n${index}`)
    const sending = producer.sendPage(page(kafkaTopic, ...large))
    await broker.restart()
    await sending
    await producer.sendPage(page(kafkaTopic, 'e'))
    const records = await readCommitted(servers, kafkaTopic, (read) => keysOf(read).includes('e'))
    assert.deepEqual(keysOf(records), ['a', 'b', 'c', ...large, 'e'])
  })

  it('says why records were not acknowledged in time, and sends the page again', async (t) => {
    const { broker, servers, kafkaTopic, producer } = await onPrivateBroker(t, {
      deliveryTimeoutMs: 2000,
    })
    await broker.kill()
    await assert.rejects(producer.sendPage(page(kafkaTopic, 'a', 'b')), {
      kind: 'retriable',
      message: /cannot be reached: Connection refused/,
    })
    await broker.start()
    // Connecting may take a try or two while the broker begins.
    for (;;) {
      const error = await producer.sendPage(page(kafkaTopic, 'a', 'b')).then(
        () => undefined,
        (reason: unknown) => reason,
      )
      if (error === undefined) break
      assert.ok(error instanceof Error)
      assert.match(error.message, /reached|answer|deliveryTimeoutMs/)
    }
    const records = await readCommitted(servers, kafkaTopic, (read) => keysOf(read).includes('b'))
    assert.deepEqual(keysOf(records), ['a', 'b'])
  })

  it('close gives a page up that a dead broker does not take', async (t) => {
    const { broker, kafkaTopic, causes, producer } = await onPrivateBroker(t)
    await broker.kill()
    const sending = assert.rejects(producer.sendPage(page(kafkaTopic, 'a')), { kind: 'fatal' })
    await causes.until(/cannot be reached: Connection refused/)
    await producer.close(0)
    await sending
    await assert.rejects(producer.sendPage(page(kafkaTopic, 'a')), { kind: 'fatal' })
  })
})
