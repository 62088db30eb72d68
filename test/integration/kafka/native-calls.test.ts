import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { rdkafka } from '../../../src/kafka/rdkafka-binding.ts'
import { newTopic, testKafka } from '../../helpers/kafka.ts'
import { Causes, idempotentProducer, sent, transactionalProducer } from './producers.ts'
import { record } from './records.ts'

type Callback = (...values: unknown[]) => void
type Method = (this: object, ...values: unknown[]) => unknown

const blocking = [
  'connect',
  'disconnect',
  'initTransactions',
  'beginTransaction',
  'commitTransaction',
  'abortTransaction',
] as const

describe('blocking native calls', () => {
  const prototype = rdkafka.Producer.prototype as unknown as Record<string, Method | undefined>
  const originals = new Map<string, Method | undefined>()
  const connects = new Map<object, number>()
  let running = 0
  let most = 0

  before(() => {
    for (const name of blocking) {
      const original = prototype[name]
      assert.ok(original, name)
      originals.set(name, Object.hasOwn(prototype, name) ? original : undefined)
      prototype[name] = function counted(...values) {
        if (name === 'connect') connects.set(this, (connects.get(this) ?? 0) + 1)
        const done = values.pop() as Callback
        most = Math.max(most, ++running)
        return original.call(this, ...values, (...results: unknown[]) => {
          running--
          done(...results)
        })
      }
    }
  })

  after(() => {
    for (const [name, original] of originals) {
      if (original) prototype[name] = original
      else delete prototype[name]
    }
  })

  it('are three at a time, whatever many producers do, and no client connects twice', async (t) => {
    const { bootstrapServers } = await testKafka()
    const kafkaTopic = await newTopic(bootstrapServers)
    const nobody = { kafkaTopic, bootstrapServers: '127.0.0.1:1', maxBlockMs: 200 }
    const causes = new Causes()
    const dead = [1, 2, 3].map((n) => transactionalProducer(t, nobody, `${kafkaTopic}-dead-${n}`))
    idempotentProducer(t, nobody, causes)
    const starts = dead.map((producer) => assert.rejects(producer.start(), { kind: 'fatal' }))
    const healthy = [1, 2, 3, 4].map(async (n) => {
      const values = { kafkaTopic, bootstrapServers }
      const producer = transactionalProducer(t, values, `${kafkaTopic}-${n}`)
      await producer.start()
      for (let sentPages = 0; sentPages < 10; sentPages++) {
        await producer.sendPage([record(kafkaTopic, `${n}-${sentPages}`)])
      }
      await producer.close(5000)
    })
    const shared = idempotentProducer(t, { kafkaTopic, bootstrapServers })
    await Promise.all([...starts, ...healthy, sent(shared, record(kafkaTopic, 'best effort'))])
    await causes.until(/refused/)
    assert.equal(most, 3)
    assert.ok(connects.size >= 9)
    assert.deepEqual(new Set(connects.values()), new Set([1]))
  })
})
