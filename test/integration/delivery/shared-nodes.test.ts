import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Pool } from 'pg'
import { outboxSchema } from '../../../src/outbox/schema.ts'
import { newTopic, testKafka } from '../../helpers/kafka.ts'
import { eventually } from '../postgres/outbox-fixture.ts'
import {
  destination,
  lines,
  patient,
  patientsTopic,
  readTold,
  startNodes,
  untilStatus,
} from './nodes.ts'

const { bootstrapServers } = await testKafka()
const schema = outboxSchema()

/** How many destinations each node leads, fewest first. */
async function shares(pool: Pool): Promise<number[]> {
  const { rows } = await pool.query<{ led: number }>(
    `select count(*)::int as led from ${schema.destination} where leader is not null group by leader order by led`,
  )
  return rows.map(({ led }) => led)
}

describe('nodes of one cluster', () => {
  for (const leadership of ['session', 'lease'] as const) {
    it(`share the destinations evenly, also when one comes or goes; every event is sent once, in order (${leadership})`, async (t) => {
      const { all, pool, add, first } = await startNodes(t, 2, { leadership })
      const second = all[1]
      assert.ok(second)
      await first.host.put(patientsTopic)
      const kafkaTopics = await Promise.all(
        Array.from({ length: 6 }, () => newTopic(bootstrapServers)),
      )
      for (const [index, kafkaTopic] of kafkaTopics.entries()) {
        await first.host.put(destination(`d${index}`, { kafkaTopic, bootstrapServers }))
      }
      const become = (...wanted: number[]) =>
        eventually(async () => String(await shares(pool)) === String(wanted))
      await become(3, 3)
      await first.host.put(patient('one'))
      const third = await add()
      await become(2, 2, 2)
      await third.host.put(patient('two'))
      await second.module.stop()
      await become(3, 3)
      await third.host.put(patient('three'))
      for (const [index, kafkaTopic] of kafkaTopics.entries()) {
        await untilStatus(first, `d${index}`, (now) => now['messagesDelivered'] === 3)
        const events = await readTold(bootstrapServers, kafkaTopic, ({ length }) => length >= 3)
        assert.deepEqual(lines(events), ['1 Patient/one', '2 Patient/two', '3 Patient/three'])
      }
    })
  }

  it('tell each other of events', async (t) => {
    // Nobody looks by himself before the test is over.
    const { all, pool } = await startNodes(t, 2, { pollIntervalMs: 60_000 })
    const [a, b] = all
    assert.ok(a && b)
    const kafkaTopic = await newTopic(bootstrapServers)
    await a.host.put(patientsTopic)
    await a.host.put(destination('d', { kafkaTopic, bootstrapServers }))
    await eventually(async () => String(await shares(pool)) === '1')
    // One of them leads.
    await a.host.put(patient('one'))
    await b.host.put(patient('two'))
    await untilStatus(a, 'd', (now) => now['messagesDelivered'] === 2, 30_000)
  })

  it('take over what another node cannot lead, and keep it', async (t) => {
    const { all, pool } = await startNodes(t, 2)
    const [a, b] = all
    assert.ok(a && b)
    const kafkaTopic = await newTopic(bootstrapServers)
    await a.host.put(patientsTopic)
    await a.host.put(destination('d', { kafkaTopic, bootstrapServers }))
    await eventually(async () => String(await shares(pool)) === '1')
    // A node that counts, and takes nothing.
    await pool.query(
      `insert into ${schema.node} (name, lease_until) select 'idle', now() + interval '1 hour' from generate_series(1, 5)`,
    )
    await a.host.put(destination('e', { kafkaTopic, bootstrapServers }))
    await a.host.put(destination('f', { kafkaTopic, bootstrapServers }))
    await eventually(async () => (await shares(pool)).reduce((sum, led) => sum + led, 0) === 3)
  })
})
