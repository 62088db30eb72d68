import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { newTopic, testKafka, uniqueName } from '../../helpers/kafka.ts'
import { recordingLogger, type LogLine } from '../../helpers/recording-logger.ts'
import { topologyOf } from '../../helpers/topology.ts'
import { destination, lines, patient, patientsTopic, readTold, startNodes } from './nodes.ts'

const { bootstrapServers } = await testKafka()

describe('the option topology', () => {
  for (const kind of ['kafka-at-least-once', 'kafka-best-effort'] as const) {
    it(`${kind}: a Kafka topic that is not declared is refused; a stored destination is served, with a warning`, async (t) => {
      const [declared, undeclared] = [
        await newTopic(bootstrapServers),
        await newTopic(bootstrapServers),
      ]
      const topology = topologyOf(
        `topics: { ${declared}: { external: true } }\nfhir: { enforceCatalogue: true }`,
      )
      const { first, add } = await startNodes(t)
      const stored = destination('stored', { kind, kafkaTopic: undeclared, bootstrapServers })
      await first.host.put(patientsTopic)
      await first.host.put(stored)
      await first.module.stop()

      const logged: LogLine[] = []
      const { host } = await add({ topology, logger: recordingLogger(logged) })
      const refusal = /has no Kafka topic of this name.*where\(name='kafkaTopic'\)\.value/
      await host.put(patient('a'))
      const toldStored = await readTold(bootstrapServers, undeclared, ({ length }) => length >= 1)
      assert.deepEqual(lines(toldStored), ['1 Patient/a'])
      await assert.rejects(host.put({ ...stored, id: 'new' }), refusal)
      await assert.rejects(host.put({ ...stored, content: 'empty' }), refusal)
      // Nothing is sent while it is off, and an operator must be able to pause it.
      await host.put({ ...stored, status: 'off' })
      await assert.rejects(host.put({ ...stored, status: 'active' }), refusal)
      await host.put(destination('new', { kind, kafkaTopic: declared, bootstrapServers }))
      await assert.rejects(
        host.put(destination('new', { kind, kafkaTopic: uniqueName('x'), bootstrapServers })),
        refusal,
      )
      await host.put(patient('b'))
      const told = await readTold(bootstrapServers, declared, ({ length }) => length >= 1)
      assert.deepEqual(lines(told), ['1 Patient/b'])
      const warnings = logged.filter(({ fields }) => fields['parameter'] === 'kafkaTopic')
      // At the start, and soon after it was changed.
      assert.deepEqual(
        new Set(warnings.map(({ level, fields }) => `${level} ${String(fields['destination'])}`)),
        new Set(['warn AidboxTopicDestination/stored']),
      )
      assert.match(String(warnings[0]?.fields['cause']), /has no Kafka topic of this name/)
    })
  }
})
