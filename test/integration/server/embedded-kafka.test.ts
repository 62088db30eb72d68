import assert from 'node:assert/strict'
import { it } from 'node:test'
import rdkafka from 'node-rdkafka'
import { rdkafkaCall } from '../../../src/kafka/rdkafka-call.ts'
import { startMockKafka } from '../../../src/server/embedded/embedded-kafka.ts'
import { consumeRecords } from '../../helpers/kafka.ts'

it('the mock cluster takes records over TCP and commits transactions', async (t) => {
  const kafka = await startMockKafka()
  t.after(() => kafka.stop())
  assert.match(kafka.bootstrapServers, /^127\.0\.0\.1:\d+$/)
  const producer = new rdkafka.Producer(
    { 'bootstrap.servers': kafka.bootstrapServers, 'transactional.id': 'mock', log_level: 0 },
    {},
  )
  await rdkafkaCall((done) => producer.connect({ timeout: 10_000 }, done))
  t.after(() => rdkafkaCall((done) => producer.disconnect(done)))
  await rdkafkaCall((done) => producer.initTransactions(10_000, done))
  await rdkafkaCall((done) => producer.beginTransaction(done))
  producer.produce('tried', 0, Buffer.from('value'), 'key')
  await rdkafkaCall((done) => producer.commitTransaction(10_000, done))
  const [record] = await consumeRecords(kafka.bootstrapServers, 'tried', 1)
  assert.deepEqual([record?.key, record?.value], ['key', 'value'])
})
