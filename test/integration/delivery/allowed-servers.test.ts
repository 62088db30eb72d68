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
  untilStatus,
} from './nodes.ts'

const { bootstrapServers } = await testKafka()

describe('allowedBootstrapServers', () => {
  for (const kind of ['kafka-at-least-once', 'kafka-best-effort'] as const) {
    it(`${kind}: another server is refused, and a stored destination is not connected to it`, async (t) => {
      const { first, add } = await startNodes(t)
      const kafkaTopic = await newTopic(bootstrapServers)
      const made = destination('d', { kind, kafkaTopic, bootstrapServers })
      await first.host.put(patientsTopic)
      await first.host.put(made)
      await first.module.stop()

      const strict = await add({ allowedBootstrapServers: ['*.kafka.example.org:*'] })
      const status = await untilStatus(strict, 'd', (now) => now['status'] === 'error')
      assert.match(
        String(status['statusReason']),
        new RegExp(`^bootstrapServers names ${bootstrapServers}, which is not among`),
      )
      await assert.rejects(
        strict.host.put({ ...made, id: 'e' }),
        /bootstrapServers names .*where\(name='bootstrapServers'\)\.value/,
      )
      await strict.host.put(patient('a'))
      const untouched = await untilStatus(strict, 'd', (now) => now['messagesInProcess'] === 0)
      assert.equal(untouched['messagesDelivered'], 0)
      await strict.module.stop()

      const allowing = await add({ allowedBootstrapServers: ['localhost:1', bootstrapServers] })
      await allowing.host.put(patient('b'))
      const isKept = kind === 'kafka-at-least-once'
      const expected = isKept ? ['1 Patient/a', '2 Patient/b'] : ['2 Patient/b']
      const told = await readTold(
        bootstrapServers,
        kafkaTopic,
        ({ length }) => length >= expected.length,
      )
      assert.deepEqual(lines(told), expected)
    })
  }
})
