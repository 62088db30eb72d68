import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { it } from 'node:test'
import { newTopic, privateKafka } from '../../helpers/kafka.ts'
import { startWorker } from '../../helpers/worker-process.ts'
import { transactionalProducer } from './producers.ts'
import { keysOf, readCommitted, record } from './records.ts'

it('a checkpoint is given up whose coordinator does not come, and the page comes once when it has', async (t) => {
  // One broker cannot hold three copies of the offsets, so no group has a coordinator.
  const settings = { 'offsets.topic.replication.factor': '3' }
  const { bootstrapServers } = await privateKafka(t, { settings })
  const kafkaTopic = await newTopic(bootstrapServers)
  const script = new URL('lost-checkpoint-worker.ts', import.meta.url)
  const worker = startWorker(script, { bootstrapServers, kafkaTopic })
  const [outcome] = (await once(createInterface(worker.stdout), 'line')) as [string]
  worker.kill('SIGKILL')
  const cause =
    'Awaiting TxnOffsetCommit: the coordinator of the consumer group did not answer. On a cluster of fewer than three brokers offsets.topic.replication.factor must not exceed their number.'
  assert.deepEqual(JSON.parse(outcome), {
    kind: 'fatal',
    message: `The checkpoint was not written within 20000ms, and librdkafka does not end the call; its producer is left to itself. ${cause}`,
    told: [cause],
    after: 1,
  })

  const producer = transactionalProducer(t, { kafkaTopic, bootstrapServers }, 'id')
  await producer.start()
  assert.equal(await producer.readCheckpoint(), 1)
  await producer.sendPage([record(kafkaTopic, 'b')], () => Promise.resolve(2))
  const records = await readCommitted(bootstrapServers, kafkaTopic, (read) =>
    keysOf(read).includes('b'),
  )
  assert.deepEqual(keysOf(records), ['a', 'b'])
})
