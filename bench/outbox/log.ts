import { Client } from 'pg'
import type { Backends } from '../backends.ts'
import { ratioFigure, type Figure } from '../figures.ts'
import { inTurns } from '../in-turns.ts'
import { drainCursor, withModulePool } from './drain-cursor.ts'
import { BenchQueue } from './queue.ts'

/** Rows a second out of the log without Kafka, read and acknowledged, beside a COPY of the same rows to the same process. */
export async function benchLog(
  backends: Backends,
  { rounds, events }: { rounds: number; events: number },
): Promise<Figure[]> {
  const queue = await BenchQueue.create(backends, 'bench_log')
  try {
    // Each reads the whole log once, so it is filled only once.
    const destinations: number[] = []
    for (let round = 0; round <= rounds; round++) {
      destinations.push(await queue.addDestination(`log-${round}`))
    }
    await queue.fill(events)
    const rates = await withModulePool(queue, async (db) =>
      inTurns(['cursor', 'copy'], { rounds, warmUp: 1 }, async (way, round) =>
        way === 'copy'
          ? copyOut(queue, events)
          : drainCursor(db, queue.schema, destinations[round + 1] ?? 0, events),
      ),
    )
    return [
      ratioFigure({
        suite: 'outbox',
        name: 'drain-without-kafka',
        unit: 'rows/s',
        baseline: 'copy-to-stdout',
        values: rates.cursor,
        baselines: rates.copy,
        target: 0.4,
      }),
    ]
  } finally {
    await queue.drop()
  }
}

/** pg receives the rows of a COPY and drops them. */
async function copyOut({ url, schema, topicId }: BenchQueue, events: number): Promise<number> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    const startMs = performance.now()
    const { rowCount } = await client.query(
      `copy (select id, interaction, resource_type, resource_id, version_id, at, correlation_id, traceparent, body
               from ${schema.event} where topic_id = ${topicId}) to stdout`,
    )
    if (rowCount !== events) throw new Error(`COPY sent ${rowCount ?? 0} of ${events} rows`)
    return (events / (performance.now() - startMs)) * 1000
  } finally {
    await client.end()
  }
}
