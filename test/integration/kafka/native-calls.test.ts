import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { rdkafka } from '../../../src/kafka/rdkafka-binding.ts'
import { newTopic, testKafka } from '../../helpers/kafka.ts'
import { Causes, idempotentProducer, sent, transactionalProducer } from './producers.ts'
import { record } from './records.ts'
import { withholdCalls } from './withheld-calls.ts'

type Callback = (...values: unknown[]) => void
type Method = (this: object, ...values: unknown[]) => unknown
type Prototype = Record<string, Method | undefined>

const transactional = [
  'initTransactions',
  'beginTransaction',
  'sendOffsetsToTransaction',
  'commitTransaction',
  'abortTransaction',
]
/** `connect` makes the client, which is quick; it ends when the metadata are there, which are asked for by calls of their own. */
const blocking = [
  [rdkafka.Producer.prototype, ['connect', 'getMetadata', 'disconnect', ...transactional]],
  [rdkafka.KafkaConsumer.prototype, ['connect', 'getMetadata', 'disconnect', 'committed']],
  // The types would bind each method to a client.
] as unknown as readonly (readonly [Prototype, readonly string[]])[]

describe('blocking native calls', () => {
  const undo: (() => void)[] = []
  const connects = new Map<object, number>()
  /** Calls of a transaction that are under way. */
  const inTransaction = new Map<object, number>()
  const called = new Set<string>()
  let running = 0
  let most = 0
  let disconnectsInTransaction = 0

  function begins(client: object, name: string): void {
    called.add(name)
    if (name === 'connect') {
      connects.set(client, (connects.get(client) ?? 0) + 1)
      return
    }
    most = Math.max(most, ++running)
    if (name === 'disconnect' && (inTransaction.get(client) ?? 0) > 0) disconnectsInTransaction++
    if (transactional.includes(name)) {
      inTransaction.set(client, (inTransaction.get(client) ?? 0) + 1)
    }
  }

  function ends(client: object, name: string): void {
    if (name === 'connect') return
    running--
    if (transactional.includes(name)) {
      inTransaction.set(client, (inTransaction.get(client) ?? 0) - 1)
    }
  }

  function count(prototype: Prototype, name: string): void {
    const original = prototype[name]
    assert.ok(original, name)
    const isOwn = Object.hasOwn(prototype, name)
    undo.push(() => {
      if (isOwn) prototype[name] = original
      else delete prototype[name]
    })
    prototype[name] = function counted(...values) {
      begins(this, name)
      const done = values.pop() as Callback
      return original.call(this, ...values, (...results: unknown[]) => {
        ends(this, name)
        done(...results)
      })
    }
  }

  before(() => {
    for (const [prototype, names] of blocking) for (const name of names) count(prototype, name)
  })

  after(() => {
    for (const each of undo) each()
  })

  it('are three at a time, whatever many producers do, no client connects twice, or disconnects in a call', async (t) => {
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
      await producer.readCheckpoint()
      for (let sentPages = 0; sentPages < 10; sentPages++) {
        await producer.sendPage([record(kafkaTopic, `${n}-${sentPages}`)], () =>
          Promise.resolve(sentPages),
        )
      }
      // In the middle of a page.
      const last = producer.sendPage([record(kafkaTopic, `${n}-last`)])
      await Promise.all([producer.close(5000), last])
    })
    const shared = idempotentProducer(t, { kafkaTopic, bootstrapServers })
    await Promise.all([...starts, ...healthy, sent(shared, record(kafkaTopic, 'best effort'))])
    await causes.until(/refused/)
    assert.equal(most, 3)
    assert.equal(disconnectsInTransaction, 0)
    assert.ok(connects.size >= 13)
    assert.deepEqual(new Set(connects.values()), new Set([1]))
    assert.ok(
      ['sendOffsetsToTransaction', 'committed', 'getMetadata'].every((name) => called.has(name)),
    )
  })
})

describe('checkpoints of three logins that hang', () => {
  it('leave the transactions of others a place', async (t) => {
    const { bootstrapServers } = await testKafka()
    const kafkaTopic = await newTopic(bootstrapServers)
    const withheld = withholdCalls(t, 'sendOffsetsToTransaction')
    // Another setting of the connection makes another login of it.
    const producers = [1, 2, 3].map((n) => {
      const values = { kafkaTopic, bootstrapServers, requestTimeoutMs: 20_000 + n }
      return transactionalProducer(t, values, `${kafkaTopic}-hanging-${n}`)
    })
    await Promise.all(producers.map((producer) => producer.start()))
    const pages = producers.map((producer, n) =>
      producer.sendPage([record(kafkaTopic, `hanging ${n}`)], () => Promise.resolve(n)),
    )
    await withheld.until(2)
    const other = transactionalProducer(t, { kafkaTopic, bootstrapServers }, `${kafkaTopic}-other`)
    await other.start()
    await other.sendPage([record(kafkaTopic, 'other')])
    assert.equal(withheld.count, 2)
    withheld.release()
    await Promise.all(pages)
  })
})
