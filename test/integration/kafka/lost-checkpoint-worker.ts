/** Sends a page whose checkpoint finds no coordinator, lets it come, and sends the page again: lost-checkpoint-worker.ts. A thread of it hangs in
 *  librdkafka then, so it does not end by itself. */
import { checkpointPlace } from '../../../src/kafka/checkpoint-place.ts'
import { toProducerConfig } from '../../../src/kafka/producer-config.ts'
import { createTransactionalProducer } from '../../../src/kafka/rdkafka-transactional-producer.ts'
import { silentLogger } from '../../../src/observability/logger.ts'
import { createTopic } from '../../helpers/kafka.ts'
import { record } from './records.ts'

const { bootstrapServers, kafkaTopic } = JSON.parse(process.env['WORKER'] ?? '') as {
  readonly bootstrapServers: string
  readonly kafkaTopic: string
}
const config = toProducerConfig({ kafkaTopic, bootstrapServers }, 'at-least-once', 'id')
const checkpoint = checkpointPlace('id', kafkaTopic, undefined)
const told: string[] = []
const onError = (message: string) => told.push(message)
const newProducer = () => createTransactionalProducer(config, silentLogger, { checkpoint, onError })

const lost = newProducer()
await lost.start()
const cause = await lost
  .sendPage([record(kafkaTopic, 'a')], () => Promise.resolve(1))
  .catch((error: unknown) => error)
await lost.close(0)

await createTopic(bootstrapServers, '__consumer_offsets', {
  config: { 'cleanup.policy': 'compact' },
})
const next = newProducer()
await next.start()
const before = await next.readCheckpoint()
await next.sendPage([record(kafkaTopic, 'a')], () => Promise.resolve(1))
const { kind, message } = cause as { readonly kind?: string; readonly message?: string }
const outcome = { kind, message, told, before, after: await next.readCheckpoint() }
process.stdout.write(`${JSON.stringify(outcome)}\n`)
