import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { newTopic, privateKafka, testKafka } from '../../helpers/kafka.ts'
import {
  destination,
  lines,
  patient,
  patientsTopic,
  readTold,
  startNodes,
  statusOf,
  untilStatus,
  type DestinationOptions,
} from './nodes.ts'

const kind = 'kafka-best-effort'

const { bootstrapServers } = await testKafka()

describe('best effort', () => {
  function options(kafkaTopic: string, more: Partial<DestinationOptions> = {}): DestinationOptions {
    return { kind, kafkaTopic, bootstrapServers, ...more }
  }

  it('sends after COMMIT only, in order and numbered; $status counts it', async (t) => {
    const { first } = await startNodes(t)
    const kafkaTopic = await newTopic(bootstrapServers)
    const { host } = first
    await host.put(patientsTopic)
    await host.put(destination('d', options(kafkaTopic)))
    await host.transaction(async (writes) => {
      await writes.put(patient('a'))
      // Another transaction passes while this one is open: it comes first.
      await host.put(patient('b'))
    })
    const failing = host.transaction(async (writes) => {
      await writes.put(patient('rolled-back'))
      throw new Error('changed my mind')
    })
    await assert.rejects(failing, /changed my mind/)
    await host.delete('Patient/a')
    const events = await readTold(bootstrapServers, kafkaTopic, ({ length }) => length >= 3)
    assert.deepEqual(lines(events), ['1 Patient/b', '2 Patient/a', '3 Patient/a'])
    const status = await untilStatus(first, 'd', (now) => now['messagesDelivered'] === 3)
    const { startTimestamp, ...counted } = status
    assert.match(String(startTimestamp), /^\d{4}-.*Z$/)
    assert.deepEqual(counted, {
      messagesDelivered: 3,
      messagesInProcess: 0,
      messagesLost: 0,
      status: 'active',
      errors: [],
      jobs: [],
    })
  })

  it('a dead broker holds up no write; what outlives deliveryTimeoutMs is counted as lost, with the reason', async (t) => {
    const { first } = await startNodes(t)
    const broker = await privateKafka(t)
    const kafkaTopic = await newTopic(broker.bootstrapServers)
    const { host } = first
    await host.put(patientsTopic)
    const made = options(kafkaTopic, {
      bootstrapServers: broker.bootstrapServers,
      parameters: { deliveryTimeoutMs: 1500 },
    })
    await host.put(destination('d', made))
    await host.put(patient('before'))
    await untilStatus(first, 'd', (now) => now['messagesDelivered'] === 1)
    await broker.kill()
    await host.put(patient('lost-1'))
    await host.put(patient('lost-2'))
    const status = await untilStatus(first, 'd', (now) => now['messagesLost'] === 2)
    assert.deepEqual([status['messagesDelivered'], status['messagesInProcess']], [1, 0])
    assert.match(status.errors.join(), /Connection refused/)
    await broker.start()
    await host.put(patient('after'))
    await untilStatus(first, 'd', (now) => now['messagesDelivered'] === 2)
    const events = await readTold(broker.bootstrapServers, kafkaTopic, ({ length }) => length >= 2)
    assert.deepEqual(lines(events), ['1 Patient/before', '4 Patient/after'])
  })

  it('waits in memory for a broker that comes back in time', async (t) => {
    const { first } = await startNodes(t)
    const broker = await privateKafka(t)
    const kafkaTopic = await newTopic(broker.bootstrapServers)
    const { host } = first
    await host.put(patientsTopic)
    await broker.kill()
    await host.put(
      destination('d', options(kafkaTopic, { bootstrapServers: broker.bootstrapServers })),
    )
    await host.put(patient('a'))
    await host.put(patient('b'))
    assert.equal((await statusOf(first, 'd'))?.['messagesInProcess'], 2)
    await broker.start()
    await untilStatus(first, 'd', (now) => now['messagesDelivered'] === 2)
    const events = await readTold(broker.bootstrapServers, kafkaTopic, ({ length }) => length >= 2)
    assert.deepEqual(lines(events), ['1 Patient/a', '2 Patient/b'])
  })

  it('counters outlive changes of the destination, faults and restarts', async (t) => {
    const { first, add } = await startNodes(t)
    const kafkaTopics = [
      await newTopic(bootstrapServers),
      await newTopic(bootstrapServers),
    ] as const
    const { host } = first
    await host.put(patientsTopic)
    await host.put(destination('d', options(kafkaTopics[0])))
    await host.put(patient('a'))
    await untilStatus(first, 'd', (now) => now['messagesDelivered'] === 1)
    await host.put(destination('d', options(kafkaTopics[1])))
    await host.put(patient('b'))
    await untilStatus(first, 'd', (now) => now['messagesDelivered'] === 2)
    await first.module.stop()
    const second = await add()
    await second.host.put(patient('c'))
    await untilStatus(second, 'd', (now) => now['messagesDelivered'] === 3)
    const events = await readTold(bootstrapServers, kafkaTopics[1], ({ length }) => length >= 2)
    assert.deepEqual(
      events.map(({ focus }) => focus),
      ['Patient/b', 'Patient/c'],
    )
  })

  it('status off drops, active sends again; a deleted destination sends no more', async (t) => {
    const { first } = await startNodes(t)
    const kafkaTopic = await newTopic(bootstrapServers)
    const { host } = first
    await host.put(patientsTopic)
    await host.put(destination('d', options(kafkaTopic, { more: { status: 'off' } })))
    await host.put(patient('dropped'))
    await host.put(destination('d', options(kafkaTopic)))
    await host.put(patient('a'))
    await untilStatus(first, 'd', (now) => now['messagesDelivered'] === 1)
    await host.delete('AidboxTopicDestination/d')
    await host.put(patient('unheard'))
    await host.put(destination('d', options(kafkaTopic)))
    await host.put(patient('b'))
    const events = await readTold(bootstrapServers, kafkaTopic, ({ length }) => length >= 2)
    assert.deepEqual(lines(events), ['1 Patient/a', '1 Patient/b'])
  })

  it('stop sends what is in memory; what it cannot send is counted as lost', async (t) => {
    const { first, add } = await startNodes(t, 1, { stopTimeoutMs: 5000 })
    const kafkaTopic = await newTopic(bootstrapServers)
    const { host } = first
    await host.put(patientsTopic)
    await host.put(destination('kept', options(kafkaTopic)))
    await host.put(destination('lost', options(kafkaTopic, { bootstrapServers: '127.0.0.1:1' })))
    await Promise.all(Array.from({ length: 100 }, (_, index) => host.put(patient(`p${index}`))))
    await first.module.stop()
    const second = await add()
    const counts = async (id: string): Promise<unknown[]> => {
      const status = await statusOf(second, id)
      return ['Delivered', 'InProcess', 'Lost'].map((name) => status?.[`messages${name}`])
    }
    assert.deepEqual(await counts('kept'), [100, 0, 0])
    assert.deepEqual(await counts('lost'), [0, 0, 100])
  })
})
