import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { newTopic, testKafka } from '../../helpers/kafka.ts'
import {
  destination,
  lines,
  patient,
  patientsTopic,
  readTold,
  startNodes,
  statusOf,
  untilStatus,
  type Node,
} from './nodes.ts'

const { bootstrapServers } = await testKafka()

describe('two nodes', () => {
  async function twoNodes(t: Parameters<typeof startNodes>[0]) {
    const { all, pool, add } = await startNodes(t, 2)
    const [a, b] = all
    assert.ok(a && b)
    return { a, b, pool, add }
  }

  it('when the leader stops the other goes on; no event is lost, doubled or out of order', async (t) => {
    const { a, b, add } = await twoNodes(t)
    const kafkaTopic = await newTopic(bootstrapServers)
    await a.host.put(patientsTopic)
    await a.host.put(destination('d', { kafkaTopic, bootstrapServers }))
    let written = 0
    const over = new AbortController()
    const write = async ({ host }: Node, name: string): Promise<void> => {
      while (!over.signal.aborted) {
        await host.put(patient(name, { multipleBirthInteger: written }))
        written++
      }
    }
    // The nodes' servers go on: only delivery stops.
    const third = await add()
    const writers = [write(third, 'x'), write(third, 'y')]
    await untilStatus(b, 'd', (now) => Number(now['messagesDelivered']) >= 20)
    await a.module.stop()
    const delivered = Number((await statusOf(b, 'd'))?.['messagesDelivered'])
    await untilStatus(b, 'd', (now) => Number(now['messagesDelivered']) >= delivered + 20)
    await b.module.stop()
    await untilStatus(third, 'd', (now) => Number(now['messagesDelivered']) >= delivered + 60)
    over.abort()
    await Promise.all(writers)
    const events = await readTold(bootstrapServers, kafkaTopic, ({ length }) => length >= written)
    assert.deepEqual(
      events.map(({ number }) => number),
      Array.from({ length: written }, (_, index) => index + 1),
    )
    for (const focus of ['Patient/x', 'Patient/y']) {
      const versions = events.filter((event) => event.focus === focus)
      assert.deepEqual(
        versions.map(({ versionId }) => Number(versionId)),
        Array.from({ length: versions.length }, (_, index) => index + 1),
      )
    }
    await untilStatus(third, 'd', (now) => now['messagesDelivered'] === written)
  })

  for (const kind of ['kafka-at-least-once', 'kafka-best-effort'] as const) {
    it(`a destination made through one node serves writes on the other at once, ${kind}`, async (t) => {
      const { a, b } = await twoNodes(t)
      await a.host.put(patientsTopic)
      for (let n = 1; n <= 5; n++) {
        const kafkaTopic = await newTopic(bootstrapServers)
        await a.host.put(destination(`d${n}`, { kind, kafkaTopic, bootstrapServers }))
        await b.host.put(patient(`p${n}`))
        const events = await readTold(bootstrapServers, kafkaTopic, ({ length }) => length >= 1)
        assert.deepEqual(lines(events), [`1 Patient/p${n}`])
      }
    })

    it(`both nodes tell the same in $status, ${kind}`, async (t) => {
      const { a, b } = await twoNodes(t)
      const kafkaTopic = await newTopic(bootstrapServers)
      const options = { kind, kafkaTopic, bootstrapServers }
      await a.host.put(patientsTopic)
      await a.host.put(destination('d', options))
      await Promise.all([a, b].map(({ host }, index) => host.put(patient(`p${index}`))))
      for (const node of [a, b]) {
        await untilStatus(node, 'd', (now) => now['messagesDelivered'] === 2)
      }
      assert.deepEqual(await statusOf(a, 'd'), await statusOf(b, 'd'))
      await b.host.put(destination('d', { ...options, more: { status: 'off' } }))
      for (const node of [a, b]) assert.equal((await statusOf(node, 'd'))?.['status'], 'off')
      await b.host.delete('AidboxSubscriptionTopic/patients')
      for (const node of [a, b]) {
        const status = await statusOf(node, 'd')
        assert.equal(status?.['status'], 'error')
        assert.match(String(status['statusReason']), /There is no topic with the url/)
      }
      await a.host.delete('AidboxTopicDestination/d')
      for (const node of [a, b]) assert.equal(await statusOf(node, 'd'), undefined)
    })
  }

  it('a leader that has lost its database session hands over', async (t) => {
    const { a, b, pool } = await twoNodes(t)
    const kafkaTopic = await newTopic(bootstrapServers)
    await a.host.put(patientsTopic)
    await a.host.put(destination('d', { kafkaTopic, bootstrapServers }))
    for (let n = 1; n <= 3; n++) {
      await a.host.put(patient(`p${n}`))
      await untilStatus(b, 'd', (now) => now['messagesDelivered'] === n)
      await pool.query(
        `select pg_terminate_backend(pid) from pg_locks
          where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
      )
    }
    await b.host.put(patient('last'))
    const events = await readTold(bootstrapServers, kafkaTopic, ({ length }) => length >= 4)
    assert.deepEqual(lines(events), [
      '1 Patient/p1',
      '2 Patient/p2',
      '3 Patient/p3',
      '4 Patient/last',
    ])
  })
})
