import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { newTopic, testKafka } from '../../helpers/kafka.ts'
import { recordingLogger, type LogLine } from '../../helpers/recording-logger.ts'
import { destination, patient, patientsTopic, startNodes, untilStatus } from './nodes.ts'

const { bootstrapServers } = await testKafka()

function deliveryLines(lines: readonly LogLine[]): LogLine[] {
  return lines.filter(({ fields }) => fields['ev'] === 'topic-destination/status')
}

describe('the delivery log', () => {
  for (const kind of ['kafka-at-least-once', 'kafka-best-effort'] as const) {
    it(`has one AidboxSubscriptionStatus per attempt at the level of the destination, ${kind}`, async (t) => {
      const lines: LogLine[] = []
      const { first } = await startNodes(t, 1, { logger: recordingLogger(lines) })
      const { host } = first
      const kafkaTopic = await newTopic(bootstrapServers)
      const options = { kind, kafkaTopic, bootstrapServers }
      await host.put(patientsTopic)
      const more = { enableLogging: true, logLevel: 'debug' }
      await host.put(
        destination('logged', { ...options, more }),
        destination('default-level', { ...options, more: { enableLogging: true } }),
        destination('silent', { ...options, more: { logLevel: 'error' } }),
      )
      await host.put(patient('canary-id', { name: [{ family: 'canary-name' }] }))
      for (const id of ['logged', 'default-level', 'silent']) {
        await untilStatus(first, id, (now) => now['messagesDelivered'] === 1)
      }
      const logged = deliveryLines(lines)
      assert.deepEqual(
        logged
          .map(({ level, fields }) => {
            const { id, ...resource } = fields['resource'] as Record<string, unknown>
            assert.match(String(id), /^[0-9a-f-]{36}$/)
            return [level, fields['firstEventNumber'], fields['lastEventNumber'], resource]
          })
          .toSorted(([left], [right]) => String(left).localeCompare(String(right))),
        [
          ['debug', 'logged'],
          ['info', 'default-level'],
        ].map(([level, id]) => [
          level,
          1,
          1,
          {
            resourceType: 'AidboxSubscriptionStatus',
            status: 'active',
            type: 'event-notification',
            topic: 'http://example.org/topic/patients',
            'topic-destination': { reference: `AidboxTopicDestination/${id}` },
          },
        ]),
      )
      assert.doesNotMatch(JSON.stringify(lines), /canary/)
    })

    it(`says why an attempt failed, ${kind}`, async (t) => {
      const lines: LogLine[] = []
      const { first } = await startNodes(t, 1, { logger: recordingLogger(lines) })
      const { host } = first
      const kafkaTopic = await newTopic(bootstrapServers)
      await host.put(patientsTopic)
      const made = destination('d', {
        kind,
        kafkaTopic,
        bootstrapServers,
        parameters: { maxRequestSize: 2000 },
        more: { enableLogging: true, logLevel: 'warn' },
      })
      await host.put(made)
      await host.put(patient('p', { implicitRules: 'x'.repeat(5000) }))
      const name = kind === 'kafka-best-effort' ? 'messagesLost' : 'messagesDead'
      await untilStatus(first, 'd', (now) => now[name] === 1)
      const [line, ...more] = deliveryLines(lines)
      assert.deepEqual(more, [])
      assert.equal(line?.level, 'warn')
      const { error } = line.fields['resource'] as { error: string[] }
      assert.match(error.join(), /larger|large/)
      assert.doesNotMatch(JSON.stringify(lines), /xxxx/)
    })
  }
})
