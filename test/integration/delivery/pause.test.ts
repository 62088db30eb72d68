import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { consumeRecords, newTopic, testKafka } from '../../helpers/kafka.ts'
import {
  destination,
  patient,
  patientsTopic,
  readTold,
  startNodes,
  statusOf,
  untilStatus,
} from './nodes.ts'

const { bootstrapServers } = await testKafka()

describe('status off under load', () => {
  it('sends nothing, then everything in order', async (t) => {
    const nodes = await startNodes(t, 1, { maxPageEvents: 20 })
    const { host } = nodes.first
    const kafkaTopic = await newTopic(bootstrapServers)
    const options = { kafkaTopic, bootstrapServers }
    await host.put(patientsTopic)
    await host.put(destination('d', options))
    const writing = { goesOn: true }
    const writers = Array.from({ length: 4 }, async (_writer, writer) => {
      let n = 0
      for (; writing.goesOn; n++)
        await host.put(patient(`w${writer}`, { birthDate: String(1000 + n) }))
      return n
    })
    await untilStatus(nodes.first, 'd', (now) => Number(now['messagesDelivered']) > 20)
    await host.put(destination('d', { ...options, more: { status: 'off' } }))
    // The transaction under way at the change may end.
    const paused = await untilStatus(
      nodes.first,
      'd',
      (now) => now['status'] === 'off' && now['messagesInProcess'] === 0,
    )
    await untilStatus(
      nodes.first,
      'd',
      (now) => Number(now['messagesQueued']) > Number(paused['messagesQueued']) + 100,
    )
    const still = await statusOf(nodes.first, 'd')
    assert.equal(still?.['messagesDelivered'], paused['messagesDelivered'])
    const during = await consumeRecords(
      bootstrapServers,
      kafkaTopic,
      Number(paused['messagesDelivered']),
    )
    assert.equal(during.length, paused['messagesDelivered'])
    await host.put(destination('d', options))
    writing.goesOn = false
    const counts = await Promise.all(writers)
    const total = counts.reduce((sum, each) => sum + each, 0)
    const events = await readTold(bootstrapServers, kafkaTopic, ({ length }) => length >= total)
    assert.deepEqual(
      events.map(({ number }) => number),
      Array.from({ length: total }, (_, index) => index + 1),
    )
    for (const [writer, count] of counts.entries()) {
      const versions = events.filter(({ focus }) => focus === `Patient/w${writer}`)
      assert.deepEqual(
        versions.map(({ versionId }) => Number(versionId)),
        Array.from({ length: count }, (_, index) => index + 1),
      )
    }
  })
})
