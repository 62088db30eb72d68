/** Sends one record, prints how it was settled, and has nothing else to do: send-and-end.ts <bootstrap servers> */
import { toProducerConfig } from '../../../src/kafka/producer-config.ts'
import { createIdempotentProducer } from '../../../src/kafka/rdkafka-idempotent-producer.ts'
import { silentLogger } from '../../../src/observability/logger.ts'
import { record } from './records.ts'

// Connects fail at once, so that nearly all of the time is between two of them.
const times = { maxBlockMs: 100, requestTimeoutMs: 1000, deliveryTimeoutMs: 2000 }
const values = { kafkaTopic: 'any', bootstrapServers: process.argv[2] ?? '', ...times }
const producer = createIdempotentProducer(toProducerConfig(values, 'best-effort'), silentLogger)
producer.send(record('any', 'a'), (error) => {
  process.stdout.write(`${error?.message ?? 'acknowledged'}\n`)
})
