import { Pool } from 'pg'
import { Registry } from '../../src/delivery/registry.ts'
import { fromPg } from '../../src/host/sql-tx.ts'
import { silentLogger } from '../../src/observability/logger.ts'
import { migrateOutbox } from '../../src/outbox/migrations.ts'
import { recordRegistryChange } from '../../src/outbox/registry-changes.ts'
import { outboxSchema, type OutboxSchema } from '../../src/outbox/schema.ts'
import { loadSecretSource } from '../../src/resources/secrets.ts'
import { startPostgres } from '../../src/server/embedded/embedded-postgres.ts'
import { destinationResource, topicResource } from '../../test/helpers/topic-resources.ts'
import { PgHost } from '../../test/integration/delivery/pg-host.ts'
import { absoluteFigure, type Figure } from '../figures.ts'
import { longestBlockMs } from './event-loop.ts'

const count = 10_000
const targetBlockMs = 20

/** How long the event loop stands still while a node with 10,000 topics, a destination for each, reads them at its start, and while it
 *  takes in the change of one. */
export async function benchRegistry(options: { rounds: number }): Promise<Figure[]> {
  const postgres = await startPostgres()
  const pool = new Pool({ connectionString: postgres.connectionString, max: 4 })
  // A connection may notice the end of the server before it is closed.
  pool.on('error', () => undefined)
  const schema = outboxSchema('topic_destination')
  const starts: number[] = []
  const changes: number[] = []
  try {
    await PgHost.migrate(pool)
    await migrateOutbox(pool, schema)
    await fill(pool, schema)
    for (let round = -1; round < options.rounds; round++) {
      const registry = makeRegistry(pool, schema)
      const start = await longestBlockMs(() => registry.start())
      await changeTopic(pool, schema, round)
      const change = await longestBlockMs(() => registry.refresh())
      await registry.stop()
      if (round < 0) continue
      starts.push(start)
      changes.push(change)
    }
  } finally {
    await pool.end()
    await postgres.stop()
  }
  return [
    blockFigure('block-registry-start', starts),
    blockFigure('block-registry-topic-change', changes),
  ]
}

function makeRegistry(pool: Pool, schema: OutboxSchema): Registry {
  return new Registry({
    db: fromPg(pool),
    schema,
    host: new PgHost(pool),
    secrets: loadSecretSource(),
    // Nothing in the background while one refresh is looked at.
    leaseMs: 3_600_000,
    secretCheckIntervalMs: 3_600_000,
    logger: silentLogger,
  })
}

function topic(n: number, version = 'final'): ReturnType<typeof topicResource> {
  return topicResource(`t${n}`, {
    resource: 'Observation',
    fhirPathCriteria: `subject.reference = 'Patient/${n}' and status = '${version}'`,
  })
}

async function fill(pool: Pool, schema: OutboxSchema): Promise<void> {
  const numbers = Array.from({ length: count }, (_, n) => n)
  const resources = numbers.flatMap((n) => [
    topic(n),
    destinationResource(`d${n}`, 'kafka-at-least-once', `t${n}`, 'bench', '127.0.0.1:9092'),
  ])
  await pool.query(
    `insert into resource
     select r ->> 'resourceType' || '/' || (r ->> 'id'), 1, r from jsonb_array_elements($1::jsonb) r`,
    [JSON.stringify(resources)],
  )
  await pool.query(
    `insert into ${schema.topic} (url, organization)
     select 'http://example.org/topic/t' || n, '' from generate_series(0, $1::int - 1) n`,
    [count],
  )
  await pool.query(
    `insert into ${schema.destination} (reference, kind, topic_id, low, pos, snap)
     select 'AidboxTopicDestination/d' || n, 'kafka-at-least-once', t.id, 0, 0, pg_current_snapshot()
       from generate_series(0, $1::int - 1) n join ${schema.topic} t on t.url = 'http://example.org/topic/t' || n`,
    [count],
  )
  await pool.query(
    `insert into ${schema.source} (destination_id, topic_id) select id, topic_id from ${schema.destination}`,
  )
}

async function changeTopic(pool: Pool, schema: OutboxSchema, round: number): Promise<void> {
  const changed = topic(count / 2, `v${round}`)
  const reference = `AidboxSubscriptionTopic/${changed.id}`
  await pool.query('update resource set body = $2 where reference = $1', [reference, changed])
  await recordRegistryChange(fromPg(pool), schema, [reference])
}

function blockFigure(name: string, values: readonly number[]): Figure {
  return absoluteFigure({ suite: 'triggers', name, unit: 'ms', values, target: targetBlockMs })
}
