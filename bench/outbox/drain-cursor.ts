import { silentLogger } from '../../src/observability/logger.ts'
import { openPool } from '../../src/database-pool.ts'
import { fromPg } from '../../src/host/sql-tx.ts'
import type { SqlTx } from '../../src/host/types.ts'
import { EventCursor } from '../../src/outbox/event-cursor.ts'
import type { OutboxSchema } from '../../src/outbox/schema.ts'
import type { BenchQueue } from './queue.ts'

export const pageEvents = 1000
const pageBytes = 8 * 1024 * 1024

/** Runs with connections as the module opens them. */
export async function withModulePool<Result>(
  queue: BenchQueue,
  run: (db: SqlTx) => Promise<Result>,
): Promise<Result> {
  const pool = openPool(queue.url, silentLogger)
  try {
    return await run(fromPg(pool))
  } finally {
    await pool.end()
  }
}

/** Reads and acknowledges so many events of a destination that nobody leads, page by page, without Kafka.
 *  @returns events a second */
export async function drainCursor(
  db: SqlTx,
  schema: OutboxSchema,
  destinationId: number,
  events: number,
): Promise<number> {
  const startMs = performance.now()
  const cursor = await EventCursor.load(db, schema, destinationId, 0)
  let drained = 0
  while (drained < events) {
    const page = await cursor.nextPage(pageEvents, pageBytes)
    if (!page) throw new Error(`${drained} of ${events} events were there`)
    await cursor.acknowledge(page)
    drained += page.events.length
  }
  return (drained / (performance.now() - startMs)) * 1000
}
