import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import type { KafkaParameterValues } from '../../../src/kafka/parameter-table.ts'
import { allowAlice, forbidAlice, type Right } from '../../helpers/kafka-acls.ts'
import {
  createTopic,
  newTopic,
  testKafka,
  uniqueName,
  type KafkaAddresses,
} from '../../helpers/kafka.ts'
import { passwordLogin, saslListener } from './logins.ts'
import { transactionalProducer } from './producers.ts'
import { keysOf, readCommitted, record } from './records.ts'

const largest = 2 ** 52 - 1

describe('a checkpoint', () => {
  let kafka: KafkaAddresses
  before(async () => {
    kafka = await testKafka()
  })

  async function topicValues(): Promise<KafkaParameterValues> {
    const { bootstrapServers } = kafka
    return { kafkaTopic: await newTopic(bootstrapServers), bootstrapServers }
  }

  it('is committed with the records, and read by the next producer of the id', async (t) => {
    const values = await topicValues()
    const { kafkaTopic } = values
    const first = transactionalProducer(t, values, kafkaTopic)
    await first.start()
    assert.equal(await first.readCheckpoint(), undefined)
    await first.sendPage([record(kafkaTopic, 'a')], () => Promise.resolve(7))
    assert.equal(await first.readCheckpoint(), 7)
    await first.sendPage([record(kafkaTopic, 'b')], () => Promise.resolve(largest))
    const second = transactionalProducer(t, values, kafkaTopic)
    await second.start()
    assert.equal(await second.readCheckpoint(), largest)
  })

  it('is not committed with what is aborted, nor with what was left open', async (t) => {
    const values = await topicValues()
    const { kafkaTopic } = values
    const first = transactionalProducer(t, values, kafkaTopic)
    await first.start()
    await first.sendPage([record(kafkaTopic, 'a')], () => Promise.resolve(1))
    const tooLarge = { ...record(kafkaTopic, 'b'), value: Buffer.alloc(1_048_570) }
    const refused = first.sendPage([tooLarge], () => Promise.resolve(2))
    await assert.rejects(refused, { kind: 'poison' })
    assert.equal(await first.readCheckpoint(), 1)
    let giveUp: (error: Error) => void = () => undefined
    const open = first.sendPage(
      [record(kafkaTopic, 'c')],
      () =>
        new Promise<number>((_resolve, reject) => {
          giveUp = reject
        }),
    )
    // Its initTransactions aborts what the first one has open.
    const second = transactionalProducer(t, values, kafkaTopic)
    await second.start()
    assert.equal(await second.readCheckpoint(), 1)
    giveUp(new Error('given up'))
    await assert.rejects(open, /given up/)
    await second.sendPage([record(kafkaTopic, 'd')], () => Promise.resolve(3))
    const records = await readCommitted(
      kafka.bootstrapServers,
      kafkaTopic,
      ({ length }) => length === 2,
    )
    assert.deepEqual(keysOf(records), ['a', 'd'])
  })

  it('is left out by who has none to give', async (t) => {
    const values = await topicValues()
    const producer = transactionalProducer(t, values, values.kafkaTopic)
    await producer.start()
    await producer.sendPage([record(values.kafkaTopic, 'a')])
    assert.equal(await producer.readCheckpoint(), undefined)
  })

  it('is none where the topic does not exist', async (t) => {
    const kafkaTopic = uniqueName('nowhere')
    const { bootstrapServers } = kafka
    const producer = transactionalProducer(t, { kafkaTopic, bootstrapServers }, kafkaTopic)
    await producer.start()
    assert.equal(await producer.readCheckpoint(), undefined)
  })

  it('can stand on a topic of its own, which no record is written to', async (t) => {
    const values = await topicValues()
    const { kafkaTopic } = values
    const own = await newTopic(kafka.bootstrapServers)
    const first = transactionalProducer(t, values, kafkaTopic, undefined, own)
    await first.start()
    await first.sendPage([record(kafkaTopic, 'a')], () => Promise.resolve(7))
    // The same destination sends to another topic now.
    const moved = { ...values, kafkaTopic: await newTopic(kafka.bootstrapServers) }
    const second = transactionalProducer(t, moved, kafkaTopic, undefined, own)
    await second.start()
    assert.equal(await second.readCheckpoint(), 7)
  })

  it('is refused where its own topic does not exist, until it does', async (t) => {
    const values = await topicValues()
    const { kafkaTopic } = values
    const own = uniqueName('own')
    const producer = transactionalProducer(t, values, kafkaTopic, undefined, own)
    await producer.start()
    const expected = { kind: 'no-checkpoint', message: new RegExp(`"${own}".* does not exist`) }
    const sending = producer.sendPage([record(kafkaTopic, 'a')], () => Promise.resolve(1))
    await assert.rejects(sending, expected)
    await producer.sendPage([record(kafkaTopic, 'b')])
    await assert.rejects(producer.probeCheckpoint(), expected)
    await createTopic(kafka.bootstrapServers, own)
    await producer.probeCheckpoint()
    await producer.sendPage([record(kafkaTopic, 'c')], () => Promise.resolve(2))
    assert.equal(await producer.readCheckpoint(), 2)
  })

  it('must be a number that comes back as it was', async (t) => {
    const values = await topicValues()
    const producer = transactionalProducer(t, values, values.kafkaTopic)
    await producer.start()
    for (const wrong of [1.5, -1, Number.NaN, 2 ** 53]) {
      const sending = producer.sendPage([record(values.kafkaTopic, 'a')], () =>
        Promise.resolve(wrong),
      )
      await assert.rejects(sending, /not an offset/)
    }
    await producer.sendPage([record(values.kafkaTopic, 'b')], () => Promise.resolve(1))
    const records = await readCommitted(
      kafka.bootstrapServers,
      values.kafkaTopic,
      ({ length }) => length > 0,
    )
    assert.deepEqual(keysOf(records), ['b'])
  })

  describe('of a principal with few rights', () => {
    const onGroup = (group: string): Right => ({
      operation: 'READ',
      resourceType: 'GROUP',
      resourceName: group,
    })
    const onTopic = (kafkaTopic: string): Right => ({
      operation: 'READ',
      resourceType: 'TOPIC',
      resourceName: kafkaTopic,
    })

    /** Alice may write to the topic, in transactions of an id of her own, and nothing else. */
    async function aliceOf(
      t: Parameters<typeof transactionalProducer>[0],
      checkpointTopic?: string,
      more: Partial<KafkaParameterValues> = {},
    ) {
      const kafkaTopic = await newTopic(kafka.bootstrapServers)
      const id = uniqueName('alice')
      await allowAlice(
        kafka.bootstrapServers,
        { operation: 'WRITE', resourceType: 'TOPIC', resourceName: kafkaTopic },
        { operation: 'WRITE', resourceType: 'TRANSACTIONAL_ID', resourceName: id },
      )
      const password = kafka.users['alice'] ?? ''
      const values: KafkaParameterValues = {
        kafkaTopic,
        ...saslListener(kafka),
        ...passwordLogin('PLAIN', 'alice', password),
        ...more,
      }
      const producer = transactionalProducer(t, values, id, undefined, checkpointTopic)
      await producer.start()
      return { kafkaTopic, id, producer }
    }

    for (const [name, rights] of [
      ['none', () => []],
      ['only Read on the group', (id: string) => [onGroup(id)]],
      ['only Read on the topic', (_id: string, kafkaTopic: string) => [onTopic(kafkaTopic)]],
    ] as const) {
      it(`is refused with ${name}, and the same records go through without one`, async (t) => {
        const { kafkaTopic, id, producer } = await aliceOf(t)
        await allowAlice(kafka.bootstrapServers, ...rights(id, kafkaTopic))
        const sending = producer.sendPage([record(kafkaTopic, 'a')], () => Promise.resolve(1))
        await assert.rejects(sending, {
          kind: 'no-checkpoint',
          message: `The Kafka principal may not keep a checkpoint, so a crash can send events twice; it needs Read on the group "${id}" and Read on the topic "${kafkaTopic}".`,
        })
        await assert.rejects(producer.probeCheckpoint(), { kind: 'no-checkpoint' })
        await producer.sendPage([record(kafkaTopic, 'b')])
        const records = await readCommitted(
          kafka.bootstrapServers,
          kafkaTopic,
          ({ length }) => length > 0,
        )
        assert.deepEqual(keysOf(records), ['b'])
      })
    }

    it('is refused although maxBlockMs is over before the right is asked for', async (t) => {
      const { producer } = await aliceOf(t, undefined, { maxBlockMs: 1500 })
      await assert.rejects(producer.readCheckpoint(), { kind: 'retriable' })
      await assert.rejects(producer.readCheckpoint(), { kind: 'no-checkpoint' })
    })

    it('works with Read on both, from the moment they are granted until they are taken away', async (t) => {
      const { kafkaTopic, id, producer } = await aliceOf(t)
      await assert.rejects(producer.readCheckpoint(), { kind: 'no-checkpoint' })
      const rights = [onGroup(id), onTopic(kafkaTopic)]
      await allowAlice(kafka.bootstrapServers, ...rights)
      await producer.probeCheckpoint()
      assert.equal(await producer.readCheckpoint(), undefined)
      await producer.sendPage([record(kafkaTopic, 'a')], () => Promise.resolve(5))
      assert.equal(await producer.readCheckpoint(), 5)
      await forbidAlice(kafka.bootstrapServers, ...rights)
      const sending = producer.sendPage([record(kafkaTopic, 'b')], () => Promise.resolve(6))
      await assert.rejects(sending, { kind: 'no-checkpoint' })
    })

    it('on a topic of its own needs no Read on the topic with the records', async (t) => {
      const own = await newTopic(kafka.bootstrapServers)
      const { kafkaTopic, id, producer } = await aliceOf(t, own)
      await allowAlice(kafka.bootstrapServers, onGroup(id), onTopic(own))
      await producer.sendPage([record(kafkaTopic, 'a')], () => Promise.resolve(5))
      assert.equal(await producer.readCheckpoint(), 5)
    })

    it('is not blamed for a record that may not be written', async (t) => {
      const { kafkaTopic, id, producer } = await aliceOf(t)
      await allowAlice(kafka.bootstrapServers, onGroup(id), onTopic(kafkaTopic))
      const other = await newTopic(kafka.bootstrapServers)
      const sending = producer.sendPage([record(kafkaTopic, 'a'), record(other, 'b')], () =>
        Promise.resolve(1),
      )
      await assert.rejects(sending, (error: { kind: string; message: string }) => {
        assert.notEqual(error.kind, 'no-checkpoint', error.message)
        assert.match(error.message, /Topic authorization failed/)
        return true
      })
    })
  })
})
