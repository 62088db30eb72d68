import { Pool } from 'pg'
import { fromPg } from '../../src/host/sql-tx.ts'
import { startPostgres } from '../../src/server/embedded/embedded-postgres.ts'
import { matchChanges } from '../../src/triggers/match-changes.ts'
import { TopicIndex } from '../../src/triggers/topic-index.ts'
import { absoluteFigure, type Figure } from '../figures.ts'
import { scenarioTopics, update } from './scenarios.ts'

const topicCount = 10_000

/** Part of the shortest possible write that matching takes: a transaction of one upsert, without HTTP, validation, search terms and events, on a
 *  PostgreSQL that does not flush. */
export async function benchWriteShare(options: {
  rounds: number
  writes: number
}): Promise<Figure[]> {
  const index = new TopicIndex()
  await index.update([], scenarioTopics('s1-200-criteria', topicCount))
  const postgres = await startPostgres()
  const pool = new Pool({ connectionString: postgres.connectionString, max: 1 })
  // A connection may notice the end of the server before it is closed.
  pool.on('error', () => undefined)
  const shares: number[] = []
  try {
    await pool.query('create table resource (id text primary key, body jsonb)')
    for (let round = -1; round < options.rounds; round++) {
      const share = await matchingShare(pool, index, options.writes)
      if (round >= 0) shares.push(share)
    }
  } finally {
    await pool.end()
    await postgres.stop()
  }
  return [
    absoluteFigure({
      suite: 'triggers',
      name: `share-of-a-write-${topicCount}`,
      unit: '%',
      values: shares,
    }),
  ]
}

async function matchingShare(pool: Pool, index: TopicIndex, writes: number): Promise<number> {
  const client = await pool.connect()
  let matchingMs = 0
  const beganAtMs = performance.now()
  try {
    for (let n = 0; n < writes; n++) {
      await client.query('begin')
      await client.query(
        'insert into resource values ($1, $2) on conflict (id) do update set body = excluded.body',
        [update.id, update.current],
      )
      const matchedFromMs = performance.now()
      await matchChanges(index, [update], fromPg(client), undefined)
      matchingMs += performance.now() - matchedFromMs
      await client.query('commit')
    }
  } finally {
    client.release()
  }
  return (matchingMs / (performance.now() - beganAtMs)) * 100
}
