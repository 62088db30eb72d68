import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createTopic, newTopic, privateKafka, testKafka, uniqueName } from '../../helpers/kafka.ts'
import {
  destination,
  lines,
  patient,
  patientsTopic,
  readTold,
  startNodes,
  statusOf,
  untilStatus,
} from './nodes.ts'

const { bootstrapServers } = await testKafka()

describe('at least once', () => {
  it('delivers what was committed, in order, numbered without a gap; $status counts it', async (t) => {
    const { first } = await startNodes(t)
    const kafkaTopic = await newTopic(bootstrapServers)
    const { host } = first
    await host.put(patientsTopic)
    await host.put(destination('d', { kafkaTopic, bootstrapServers }))
    await host.put(patient('a'), patient('b'))
    await host.put(patient('a', { active: true }))
    await host.delete('Patient/b')
    await host.put({ resourceType: 'Observation', id: 'not-selected' })
    const events = await readTold(bootstrapServers, kafkaTopic, ({ length }) => length >= 4)
    assert.deepEqual(lines(events), ['1 Patient/a', '2 Patient/b', '3 Patient/a', '4 Patient/b'])
    const status = await untilStatus(first, 'd', (now) => now['messagesDelivered'] === 4)
    const { startTimestamp, ...counted } = status
    assert.match(String(startTimestamp), /^\d{4}-.*Z$/)
    assert.deepEqual(counted, {
      messagesDelivered: 4,
      messagesDeliveryAttempts: 0,
      messagesInProcess: 0,
      messagesQueued: 0,
      status: 'active',
      messagesDead: 0,
      messagesUndecided: 0,
      messagesNotKept: 0,
      messagesNotFired: 0,
      messagesDiscarded: 0,
      exactlyOnce: true,
      errors: [],
      jobs: [],
    })
  })

  it('delivers without transactions where that is wanted, and says that a crash can send twice', async (t) => {
    const { first } = await startNodes(t, 1, { transactional: false, maxPageEvents: 7 })
    const kafkaTopic = await newTopic(bootstrapServers)
    const { host } = first
    await host.put(patientsTopic)
    await host.put(destination('d', { kafkaTopic, bootstrapServers }))
    for (let n = 1; n <= 30; n++) await host.put(patient(`p${n}`))
    const events = await readTold(bootstrapServers, kafkaTopic, ({ length }) => length >= 30)
    assert.deepEqual(
      lines(events),
      Array.from({ length: 30 }, (_, index) => `${index + 1} Patient/p${index + 1}`),
    )
    const status = await untilStatus(first, 'd', (now) => now['messagesDelivered'] === 30)
    assert.equal(status['exactlyOnce'], false)
    assert.match(String(status['exactlyOnceFault']), /option transactional is false/)
  })

  it('keeps checkpoints on a topic of their own, and says when it is missing', async (t) => {
    const checkpointTopic = uniqueName('checkpoints')
    const { first } = await startNodes(t, 1, { checkpointTopic })
    const kafkaTopic = await newTopic(bootstrapServers)
    const { host } = first
    await host.put(patientsTopic)
    await host.put(destination('d', { kafkaTopic, bootstrapServers }))
    await host.put(patient('a'))
    const without = await untilStatus(first, 'd', (now) => now['exactlyOnce'] === false)
    assert.match(String(without['exactlyOnceFault']), /for checkpoints does not exist/)
    await untilStatus(first, 'd', (now) => now['messagesDelivered'] === 1)
    await createTopic(bootstrapServers, checkpointTopic)
    await untilStatus(first, 'd', (now) => now['exactlyOnce'] === true)
    await host.put(patient('b'))
    const events = await readTold(bootstrapServers, kafkaTopic, ({ length }) => length >= 2)
    assert.deepEqual(lines(events), ['1 Patient/a', '2 Patient/b'])
  })

  it('keeps the order of every resource under concurrent writes', async (t) => {
    const { first } = await startNodes(t, 1, { maxPageEvents: 7 })
    const kafkaTopic = await newTopic(bootstrapServers)
    const { host } = first
    await host.put(patientsTopic)
    await host.put(destination('d', { kafkaTopic, bootstrapServers }))
    const writers = Array.from({ length: 8 }, async (_writer, writer) => {
      for (let n = 0; n < 25; n++)
        await host.put(
          patient(`p${(writer + n) % 5}`, { birthDate: `200${writer}-01-${10 + (n % 20)}` }),
        )
    })
    await Promise.all(writers)
    const events = await readTold(bootstrapServers, kafkaTopic, ({ length }) => length >= 200)
    assert.deepEqual(
      events.map(({ number }) => number),
      Array.from({ length: 200 }, (_, index) => index + 1),
    )
    for (let p = 0; p < 5; p++) {
      const versions = events
        .filter(({ focus }) => focus === `Patient/p${p}`)
        .map(({ versionId }) => Number(versionId))
      assert.deepEqual(
        versions,
        Array.from({ length: 40 }, (_, index) => index + 1),
      )
    }
  })

  it('sends nothing of a transaction that was rolled back', async (t) => {
    const { first } = await startNodes(t)
    const kafkaTopic = await newTopic(bootstrapServers)
    const { host } = first
    await host.put(patientsTopic)
    await host.put(destination('d', { kafkaTopic, bootstrapServers }))
    const failing = host.transaction(async (writes) => {
      await writes.put(patient('rolled-back'))
      throw new Error('changed my mind')
    })
    await assert.rejects(failing, /changed my mind/)
    await host.put(patient('committed'))
    const events = await readTold(bootstrapServers, kafkaTopic, ({ length }) => length >= 1)
    assert.deepEqual(lines(events), ['1 Patient/committed'])
  })

  it('resumes by itself when the broker is killed and back, and says meanwhile why it waits', async (t) => {
    const { first } = await startNodes(t)
    const broker = await privateKafka(t)
    const kafkaTopic = await newTopic(broker.bootstrapServers)
    const { host } = first
    await host.put(patientsTopic)
    await host.put(destination('d', { kafkaTopic, bootstrapServers: broker.bootstrapServers }))
    await host.put(patient('before'))
    await untilStatus(first, 'd', (now) => now['messagesDelivered'] === 1)
    await broker.kill()
    await host.put(patient('during-1'))
    await host.put(patient('during-2'))
    const waiting = await untilStatus(first, 'd', ({ errors }) => errors.length > 0)
    assert.match(waiting.errors.join(), /127\.0\.0\.1:\d+ cannot be reached: Connection refused/)
    assert.equal(Number(waiting['messagesQueued']) + Number(waiting['messagesInProcess']), 2)
    await broker.start()
    await untilStatus(first, 'd', (now) => now['messagesDelivered'] === 3)
    await host.put(patient('after'))
    const events = await readTold(broker.bootstrapServers, kafkaTopic, ({ length }) => length >= 4)
    assert.deepEqual(lines(events), [
      '1 Patient/before',
      '2 Patient/during-1',
      '3 Patient/during-2',
      '4 Patient/after',
    ])
  })

  const large = patient('large', { text: 'x'.repeat(9000) })
  const limits = [
    { where: 'maxRequestSize', parameters: { maxRequestSize: 5000 }, config: {} },
    { where: 'the limit of the topic', parameters: {}, config: { 'max.message.bytes': '5000' } },
  ]
  for (const { where, parameters, config } of limits) {
    it(`sets a record over ${where} aside; its neighbours go on, its number is missing`, async (t) => {
      const { first, pool } = await startNodes(t)
      const kafkaTopic = await newTopic(bootstrapServers, { config: { ...config } })
      const { host } = first
      await host.put(patientsTopic)
      const options = { kafkaTopic, bootstrapServers, parameters }
      await host.put(destination('d', { ...options, more: { status: 'off' } }))
      // One page.
      await host.put(patient('a'), patient('b'), large, patient('c'))
      await host.put(destination('d', options))
      await host.put(patient('d'))
      const events = await readTold(bootstrapServers, kafkaTopic, ({ length }) => length >= 4)
      assert.deepEqual(lines(events), ['1 Patient/a', '2 Patient/b', '4 Patient/c', '5 Patient/d'])
      const status = await untilStatus(first, 'd', (now) => now['messagesDelivered'] === 4)
      assert.deepEqual([status['messagesDead'], status['messagesQueued']], [1, 0])
      assert.match(status.errors.join(), /Message too large/)
      const { rows } = await pool.query(
        'select event_no::int, resource_id, error from topic_destination.dead_letter',
      )
      assert.deepEqual(rows, [{ event_no: 3, resource_id: 'large', error: status.errors[0] }])
    })
  }

  it('status off pauses, active resumes; nothing is lost', async (t) => {
    const { first } = await startNodes(t)
    const kafkaTopic = await newTopic(bootstrapServers)
    const { host } = first
    await host.put(patientsTopic)
    const options = { kafkaTopic, bootstrapServers }
    await host.put(destination('d', options))
    await host.put(patient('a'))
    await untilStatus(first, 'd', (now) => now['messagesDelivered'] === 1)
    await host.put(destination('d', { ...options, more: { status: 'off' } }))
    await host.put(patient('b'))
    const paused = await statusOf(first, 'd')
    assert.deepEqual(
      [paused?.['status'], paused?.['messagesDelivered'], paused?.['messagesQueued']],
      ['off', 1, 1],
    )
    await host.put(destination('d', options))
    await host.put(patient('c'))
    const events = await readTold(bootstrapServers, kafkaTopic, ({ length }) => length >= 3)
    assert.deepEqual(lines(events), ['1 Patient/a', '2 Patient/b', '3 Patient/c'])
    assert.equal((await statusOf(first, 'd'))?.['status'], 'active')
  })

  it('a new kafkaTopic takes what is written after the change', async (t) => {
    const { first } = await startNodes(t)
    const oldTopic = await newTopic(bootstrapServers)
    const newerTopic = await newTopic(bootstrapServers)
    const { host } = first
    await host.put(patientsTopic)
    await host.put(destination('d', { kafkaTopic: oldTopic, bootstrapServers }))
    await host.put(patient('a'))
    await untilStatus(first, 'd', (now) => now['messagesDelivered'] === 1)
    await host.put(destination('d', { kafkaTopic: newerTopic, bootstrapServers }))
    await host.put(patient('b'))
    const events = await readTold(bootstrapServers, newerTopic, ({ length }) => length >= 1)
    assert.deepEqual(lines(events), ['2 Patient/b'])
    const old = await readTold(bootstrapServers, oldTopic, ({ length }) => length >= 1)
    assert.deepEqual(lines(old), ['1 Patient/a'])
  })

  it('a new bootstrapServers takes the queue of a dead cluster along, at once', async (t) => {
    const { first } = await startNodes(t)
    const dead = await privateKafka(t)
    const kafkaTopic = await newTopic(bootstrapServers)
    await createTopic(dead.bootstrapServers, kafkaTopic)
    const { host } = first
    await host.put(patientsTopic)
    await host.put(destination('d', { kafkaTopic, bootstrapServers: dead.bootstrapServers }))
    await host.put(patient('a'))
    await untilStatus(first, 'd', (now) => now['messagesDelivered'] === 1)
    await dead.kill()
    await host.put(patient('b'))
    await untilStatus(first, 'd', ({ errors }) => errors.length > 0)
    await host.put(destination('d', { kafkaTopic, bootstrapServers }))
    await host.put(patient('c'))
    const events = await readTold(bootstrapServers, kafkaTopic, ({ length }) => length >= 2)
    assert.deepEqual(lines(events), ['2 Patient/b', '3 Patient/c'])
  })

  it('a deleted destination sends no more; one of the same id begins anew', async (t) => {
    const { first } = await startNodes(t)
    const kafkaTopic = await newTopic(bootstrapServers)
    const { host } = first
    await host.put(patientsTopic)
    const made = destination('d', { kafkaTopic, bootstrapServers })
    await host.put(made)
    await host.put(patient('a'))
    await untilStatus(first, 'd', (now) => now['messagesDelivered'] === 1)
    await host.delete('AidboxTopicDestination/d')
    await host.put(patient('b'))
    assert.equal(await statusOf(first, 'd'), undefined)
    await host.put(made)
    await host.put(patient('c'))
    const events = await readTold(bootstrapServers, kafkaTopic, ({ length }) => length >= 2)
    assert.deepEqual(lines(events), ['1 Patient/a', '1 Patient/c'])
  })

  it('a dead cluster does not hold up a destination on another', async (t) => {
    const { first } = await startNodes(t)
    const kafkaTopic = await newTopic(bootstrapServers)
    const { host } = first
    await host.put(patientsTopic)
    const dead = Array.from({ length: 8 }, (_, index) =>
      destination(`dead-${index}`, { kafkaTopic, bootstrapServers: '127.0.0.1:1' }),
    )
    await host.put(...dead)
    await untilStatus(first, 'dead-0', ({ errors }) => errors.length > 0)
    await host.put(destination('d', { kafkaTopic, bootstrapServers }))
    await host.put(patient('a'))
    await untilStatus(first, 'd', (now) => now['messagesDelivered'] === 1)
    const status = await statusOf(first, 'dead-7')
    assert.deepEqual([status?.['messagesDelivered'], status?.['status']], [0, 'active'])
  })

  it('stop does not wait for a cluster that does not answer', async (t) => {
    const { first, pool } = await startNodes(t, 1, { stopTimeoutMs: 100 })
    const broker = await privateKafka(t)
    const kafkaTopic = await newTopic(broker.bootstrapServers)
    const { host, module } = first
    await host.put(patientsTopic)
    await host.put(destination('d', { kafkaTopic, bootstrapServers: broker.bootstrapServers }))
    await host.put(patient('a'))
    await untilStatus(first, 'd', (now) => now['messagesDelivered'] === 1)
    await broker.kill()
    await host.put(patient('b'))
    await untilStatus(first, 'd', ({ errors }) => errors.length > 0)
    await module.stop()
    const { rows } = await pool.query<{ locks: string }>(
      `select count(*) as locks from pg_locks
        where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
    )
    assert.equal(rows[0]?.locks, '0')
  })
})
