import { Pool } from 'pg'
import { fromPg } from '../src/host/sql-tx.ts'
import { enqueueEvents, type NewEvent } from '../src/outbox/enqueue.ts'
import { listDestinationRows } from '../src/outbox/destinations.ts'
import { outboxSchema } from '../src/outbox/schema.ts'
import { consumeRecords, createTopic, type ConsumedRecord } from '../test/helpers/kafka.ts'
import { connectBareProducer, prepareRecords } from './bare-producer.ts'
import { benchDestination, benchResponse } from './bench-resources.ts'
import type { BenchServices } from './bench-services.ts'
import { consumedRate } from './consumed-rate.ts'
import { ratioFigure, type Figure } from './figures.ts'

const recordsPerTransaction = 1000

/** Events a second out of a backlog, beside node-rdkafka alone sending the very same records (read back from Kafka: keys, headers,
 *  values) in transactions of the same size. Both are timed by a consumer, from the first record it sees to the last. */
export async function benchDrain(
  services: BenchServices,
  options: { rounds: number; events: number },
): Promise<Figure[]> {
  const relay: number[] = []
  const bare: number[] = []
  for (let round = 0; round <= options.rounds; round++) {
    const relayTopic = `bench-drain-relay-${round}`
    const bareTopic = `bench-drain-bare-${round}`
    await createTopic(services.bootstrapServers, relayTopic)
    await createTopic(services.bootstrapServers, bareTopic)
    const relayRate = await drainRelay(services, relayTopic, options.events)
    const records = await consumeRecords(services.bootstrapServers, relayTopic, options.events)
    const bareRate = await drainBare(services.bootstrapServers, bareTopic, records)
    if (round === 0) continue
    relay.push(relayRate)
    bare.push(bareRate)
  }
  return [
    ratioFigure({
      suite: 'drain',
      name: 'backlog-to-kafka',
      unit: 'events/s',
      baseline: 'bare-producer',
      values: relay,
      baselines: bare,
      target: 0.7,
    }),
  ]
}

/** Events a second from a destination that is switched on to a consumer. */
export async function drainRelay(
  {
    load,
    bootstrapServers,
    databaseUrl,
  }: Pick<BenchServices, 'load' | 'bootstrapServers' | 'databaseUrl'>,
  kafkaTopic: string,
  events: number,
): Promise<number> {
  const path = '/AidboxTopicDestination/kafka-at-least-once'
  await load.send(
    'PUT',
    path,
    benchDestination('kafka-at-least-once', kafkaTopic, bootstrapServers, 'off'),
  )
  await fillOutbox(databaseUrl, events)
  const rate = await consumedRate(bootstrapServers, kafkaTopic, events, async () => {
    await load.send(
      'PUT',
      path,
      benchDestination('kafka-at-least-once', kafkaTopic, bootstrapServers),
    )
  })
  await load.send('DELETE', path)
  return rate
}

async function fillOutbox(databaseUrl: string, events: number): Promise<void> {
  const pool = new Pool({ connectionString: databaseUrl, max: 1 })
  const schema = outboxSchema()
  const [row] = await listDestinationRows(fromPg(pool), schema)
  if (!row) throw new Error('the destination is not registered')
  for (let start = 0; start < events; start += 500) {
    const page = Array.from({ length: Math.min(500, events - start) }, (_, index): NewEvent => {
      const id = `bench-${start + index}`
      const body = JSON.stringify({ ...benchResponse(), id, meta: { versionId: '1' } })
      return {
        topicId: row.topicId,
        interaction: 'create',
        resourceType: 'QuestionnaireResponse',
        resourceId: id,
        versionId: '1',
        body,
      }
    })
    await enqueueEvents(fromPg(pool), schema, page)
  }
  // What filling it left to be written is not part of draining it.
  await pool.query('checkpoint')
  await pool.end()
}

async function drainBare(
  bootstrapServers: string,
  kafkaTopic: string,
  records: readonly ConsumedRecord[],
): Promise<number> {
  const producer = await connectBareProducer(bootstrapServers, `bare-${kafkaTopic}`)
  const prepared = prepareRecords(records)
  const rate = await consumedRate(bootstrapServers, kafkaTopic, records.length, () =>
    producer.send(kafkaTopic, prepared, recordsPerTransaction),
  )
  await producer.close()
  return rate
}
