import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { KafkaParameterValues } from '../../../src/kafka/parameter-table.ts'
import { newTopic, privateKafka } from '../../helpers/kafka.ts'
import { Causes, idempotentProducer, sent, transactionalProducer } from './producers.ts'
import { keysOf, readCommitted, record } from './records.ts'

const refused = /cannot be reached: Connection refused/

function page(kafkaTopic: string, ...names: readonly string[]): ReturnType<typeof record>[] {
  return names.map((name) => record(kafkaTopic, name))
}

describe('producers while the broker is away', () => {
  it('transactional: the same producer goes on after a crash between and within transactions', async (t) => {
    const broker = await privateKafka(t)
    const { bootstrapServers } = broker
    const kafkaTopic = await newTopic(bootstrapServers)
    const causes = new Causes()
    const producer = transactionalProducer(t, { kafkaTopic, bootstrapServers }, kafkaTopic, causes)
    await producer.start()
    await producer.sendPage(page(kafkaTopic, 'a', 'b'))
    await broker.kill()
    const whileDown = producer.sendPage(page(kafkaTopic, 'c', 'd'))
    await causes.until(refused)
    await broker.start()
    await whileDown
    const large = Array.from({ length: 3000 }, (_, index) => record(kafkaTopic, `n${index}`))
    const whileCommitting = producer.sendPage(large)
    await broker.restart()
    await whileCommitting
    await producer.sendPage(page(kafkaTopic, 'e'))
    const keys = ['a', 'b', 'c', 'd', ...large.map(({ key }) => key), 'e']
    const records = await readCommitted(bootstrapServers, kafkaTopic, (read) =>
      keysOf(read).includes('e'),
    )
    assert.deepEqual(keysOf(records), keys)
  })

  it('transactional: a start against a dead broker is fatal and says why; a new producer starts', async (t) => {
    const broker = await privateKafka(t)
    const { bootstrapServers } = broker
    const kafkaTopic = await newTopic(bootstrapServers)
    await broker.kill()
    const first = transactionalProducer(t, { kafkaTopic, bootstrapServers }, kafkaTopic)
    await assert.rejects(first.start(), { kind: 'fatal', message: refused })
    await assert.rejects(first.sendPage(page(kafkaTopic, 'a')), { kind: 'fatal' })
    await broker.start()
    const second = transactionalProducer(t, { kafkaTopic, bootstrapServers }, kafkaTopic)
    await second.start()
    await second.sendPage(page(kafkaTopic, 'a'))
  })

  it('transactional: records that time out abort the transaction, and the cause is named', async (t) => {
    const broker = await privateKafka(t)
    const { bootstrapServers } = broker
    const kafkaTopic = await newTopic(bootstrapServers)
    const values: KafkaParameterValues = { kafkaTopic, bootstrapServers, deliveryTimeoutMs: 4000 }
    const producer = transactionalProducer(t, values, kafkaTopic)
    await producer.start()
    // Loses a record of its own later than the transaction does, and says so.
    const clock = idempotentProducer(t, { ...values, deliveryTimeoutMs: 3000 })
    await sent(clock, record(await newTopic(bootstrapServers), 'tick'))
    await broker.kill()
    const failing = producer.sendPage(page(kafkaTopic, 'lost'))
    const outcome = assert.rejects(failing, { kind: 'retriable', message: refused })
    await assert.rejects(sent(clock, record(kafkaTopic, 'tock')), /deliveryTimeoutMs/)
    await broker.start()
    await outcome
    await producer.sendPage(page(kafkaTopic, 'kept'))
    const records = await readCommitted(bootstrapServers, kafkaTopic, ({ length }) => length > 0)
    assert.deepEqual(keysOf(records), ['kept'])
  })

  for (const fate of ['killed', 'paused'] as const) {
    it(`transactional: close gives a commit up that a ${fate} broker does not answer`, async (t) => {
      const broker = await privateKafka(t)
      const { bootstrapServers } = broker
      const kafkaTopic = await newTopic(bootstrapServers)
      const producer = transactionalProducer(t, { kafkaTopic, bootstrapServers }, kafkaTopic)
      await producer.start()
      if (fate === 'killed') await broker.kill()
      else broker.pause()
      const failing = assert.rejects(producer.sendPage(page(kafkaTopic, 'a')), {
        kind: 'fatal',
        message: /unknown/,
      })
      await Promise.all([failing, producer.close(100)])
    })
  }

  it('best effort: sending never waits for a dead broker, and everything arrives in order when it is back', async (t) => {
    const broker = await privateKafka(t)
    const { bootstrapServers } = broker
    const kafkaTopic = await newTopic(bootstrapServers)
    const causes = new Causes()
    const producer = idempotentProducer(t, { kafkaTopic, bootstrapServers }, causes)
    await sent(producer, record(kafkaTopic, 'before'))
    await broker.kill()
    await causes.until(refused)
    const keys = Array.from({ length: 500 }, (_, index) => `k${index}`)
    let settled = 0
    const all = keys.map(async (key) => {
      await sent(producer, record(kafkaTopic, key))
      settled++
    })
    assert.equal(settled, 0)
    await broker.start()
    await Promise.all(all)
    const records = await readCommitted(bootstrapServers, kafkaTopic, ({ length }) => length >= 501)
    assert.deepEqual(keysOf(records), ['before', ...keys])
  })

  it('best effort: what the dead broker never acknowledged is lost after deliveryTimeoutMs, with the reason', async (t) => {
    const broker = await privateKafka(t)
    const { bootstrapServers } = broker
    const kafkaTopic = await newTopic(bootstrapServers)
    const values: KafkaParameterValues = { kafkaTopic, bootstrapServers, deliveryTimeoutMs: 4000 }
    const causes = new Causes()
    const producer = idempotentProducer(t, values, causes)
    await sent(producer, record(kafkaTopic, 'before'))
    await broker.kill()
    await causes.until(refused)
    await assert.rejects(sent(producer, record(kafkaTopic, 'lost')), {
      kind: 'retriable',
      message: /did not acknowledge.*deliveryTimeoutMs.*Connection refused/,
    })
    await broker.start()
    await sent(producer, record(kafkaTopic, 'after'))
    const records = await readCommitted(bootstrapServers, kafkaTopic, ({ length }) => length >= 2)
    assert.deepEqual(keysOf(records), ['before', 'after'])
  })
})
