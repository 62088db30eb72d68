import { randomUUID } from 'node:crypto'
import { Pool, type PoolClient } from 'pg'
import { installTriggers, prepareCapture } from '../src/history-tables/install-triggers.ts'
import { resolveLayout } from '../src/history-tables/table-layout.ts'
import { outboxSchema } from '../src/outbox/schema.ts'
import { createMedplumTables } from '../test/integration/history-tables/medplum-tables.ts'
import { benchResponse } from './bench-resources.ts'
import type { BenchServices } from './bench-services.ts'
import { ratioFigure, type Figure } from './figures.ts'
import { inTurns } from './in-turns.ts'

const connections = 8
/** The same tables twice; the second ones have the trigger. */
const types = ['Plain', 'Captured'] as const
const writes = ['create', 'update'] as const
const versionsOfUpdated = 10

/** Writes a second to Medplum's tables with and without the trigger that captures them, in turns on the same server. */
export async function benchCapture(
  { databaseUrl }: BenchServices,
  { rounds, sliceMs }: { rounds: number; sliceMs: number },
): Promise<Figure[]> {
  const pool = new Pool({ connectionString: databaseUrl, max: connections })
  try {
    await createMedplumTables(pool, ...types)
    const schema = outboxSchema('bench_captured')
    const plan = { schema, layout: resolveLayout(), resourceTypes: ['Captured'] }
    await prepareCapture(pool, plan)
    await installTriggers(pool, plan)
    const figures: Figure[] = []
    for (const write of writes) {
      const tps = await inTurns(types, { rounds, warmUp: 1 }, async (type) => {
        const measured = await slice(pool, type, write, sliceMs)
        await pool.query(`truncate ${schema.event}`)
        return measured
      })
      figures.push(
        ratioFigure({
          suite: 'capture',
          name: `trigger-on-${write}`,
          unit: 'writes/s',
          baseline: 'no-trigger',
          values: tps.Captured,
          baselines: tps.Plain,
        }),
      )
    }
    return figures
  } finally {
    await pool.end()
  }
}

async function slice(
  pool: Pool,
  type: string,
  write: (typeof writes)[number],
  sliceMs: number,
): Promise<number> {
  const startedAtMs = performance.now()
  const counts = await Promise.all(
    Array.from({ length: connections }, async () => {
      const client = await pool.connect()
      try {
        let id = ''
        let count = 0
        for (; performance.now() - startedAtMs < sliceMs; count++) {
          if (write === 'create' || count % versionsOfUpdated === 0) id = randomUUID()
          await writeVersion(client, type, id)
        }
        return count
      } finally {
        client.release()
      }
    }),
  )
  const seconds = (performance.now() - startedAtMs) / 1000
  return counts.reduce((sum, count) => sum + count, 0) / seconds
}

/** The four statements that Medplum sends for a write, less the search columns and lookup tables. */
async function writeVersion(client: PoolClient, type: string, id: string): Promise<void> {
  const content = JSON.stringify(benchResponse())
  await client.query('begin')
  await client.query({
    name: `current-${type}`,
    text: `insert into "${type}" (id, content, "lastUpdated") values ($1, $2, clock_timestamp())
      on conflict (id) do update set content = excluded.content, "lastUpdated" = excluded."lastUpdated"`,
    values: [id, content],
  })
  await client.query({
    name: `history-${type}`,
    text: `insert into "${type}_History" ("versionId", id, content, "lastUpdated") values ($1, $2, $3, clock_timestamp())`,
    values: [randomUUID(), id, content],
  })
  await client.query('commit')
}
