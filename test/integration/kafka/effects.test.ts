import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toProducerConfig } from '../../../src/kafka/producer-config.ts'
import { createTransactionalProducer } from '../../../src/kafka/rdkafka-transactional-producer.ts'
import { silentLogger } from '../../../src/observability/logger.ts'
import { newTopic, testKafka } from '../../helpers/kafka.ts'
import { idempotentProducer, sent, transactionalProducer } from './producers.ts'
import { record } from './records.ts'

const { bootstrapServers } = await testKafka()

/** What node-rdkafka does with a property shows at the broker only: it drops some without a word. */
describe('parameters have effect', () => {
  // The limit of a topic holds for the compressed batch.
  const repetitive = Buffer.alloc(9000, 'x')
  const limited = { config: { 'max.message.bytes': '5000' } }

  for (const compressionType of ['gzip', 'snappy', 'lz4']) {
    it(`compressionType ${compressionType}: a batch fits that would not fit plain`, async (t) => {
      const kafkaTopic = await newTopic(bootstrapServers, limited)
      const values = { kafkaTopic, bootstrapServers, compressionType }
      await sent(idempotentProducer(t, values), record(kafkaTopic, 'a', repetitive))
      const transactional = transactionalProducer(t, values, kafkaTopic)
      await transactional.start()
      await transactional.sendPage([record(kafkaTopic, 'b', repetitive)])
    })
  }

  it('compressionType none: the batch is refused', async (t) => {
    const kafkaTopic = await newTopic(bootstrapServers, limited)
    const values = { kafkaTopic, bootstrapServers, compressionType: 'none' }
    const plain = sent(idempotentProducer(t, values), record(kafkaTopic, 'a', repetitive))
    await assert.rejects(plain, { kind: 'poison', kafkaCode: 10 })
  })

  // One broker cannot show what acks waits for, but librdkafka takes only "all" beside idempotence, where it looks at it at all.
  it('acks is read where it stands', async (t) => {
    const kafkaTopic = await newTopic(bootstrapServers)
    const config = toProducerConfig({ kafkaTopic, bootstrapServers }, 'at-least-once', kafkaTopic)
    assert.equal(config.topic['acks'], 'all')
    const wrong = { ...config, topic: { ...config.topic, acks: 1 } }
    const producer = createTransactionalProducer(wrong, silentLogger)
    t.after(() => producer.close(0))
    await assert.rejects(producer.start(), { kind: 'fatal', message: /acks/ })
  })
})
