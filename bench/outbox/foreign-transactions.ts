import type { PoolClient } from 'pg'
import { fromPg } from '../../src/host/sql-tx.ts'
import type { SqlTx } from '../../src/host/types.ts'
import { enqueueEvents } from '../../src/outbox/enqueue.ts'
import type { Backends } from '../backends.ts'
import { ratiosOf, type Figure } from '../figures.ts'
import { inTurns } from '../in-turns.ts'
import { drainCursor, pageEvents, withModulePool } from './drain-cursor.ts'
import { BenchQueue } from './queue.ts'
import { SkipLockedOutbox } from './skip-locked-outbox.ts'

const outboxes = ['cursor', 'skip-locked'] as const
/** What somebody else has open for as long as the drain takes. */
const foreign = ['nothing', 'snapshot', 'write'] as const
type Variant = `${(typeof outboxes)[number]}/${(typeof foreign)[number]}`

/** Events a second out of a backlog without Kafka while another session has a transaction open that began before the drain: one that
 *  only holds its snapshot, as a dump or a report does, or one that has written to the outbox and does not end. */
export async function benchForeignTransactions(
  backends: Backends,
  { rounds, warmUp, events }: { rounds: number; warmUp: number; events: number },
): Promise<Figure[]> {
  const queue = await BenchQueue.create(backends, 'bench_foreign')
  try {
    const skipLocked = await SkipLockedOutbox.create(queue.pool)
    const variants = outboxes.flatMap((outbox) =>
      foreign.map((open): Variant => `${outbox}/${open}`),
    )
    const rates = await withModulePool(queue, async (db) =>
      inTurns(variants, { rounds, warmUp }, async (variant, round) => {
        const isCursor = variant.startsWith('cursor')
        const drain = isCursor
          ? await fillQueue(
              queue,
              `foreign-${variant.replace('/', '-')}-${round + warmUp}`,
              events,
              db,
            )
          : await fillSkipLocked(skipLocked, events)
        return whileOpen(queue, skipLocked, variant, drain)
      }),
    )
    const figure = ratiosOf('outbox', 'events/s', rates)
    return [
      figure('drain-beside-snapshot', 'cursor/snapshot', 'skip-locked/snapshot', 3),
      figure('drain-beside-snapshot-or-nothing', 'cursor/snapshot', 'cursor/nothing', 0.9),
      figure('drain-beside-write', 'cursor/write', 'skip-locked/write'),
      figure('drain-beside-write-or-nothing', 'cursor/write', 'cursor/nothing', 0.9),
      figure('drain-beside-nothing', 'cursor/nothing', 'skip-locked/nothing'),
      figure('drain-by-skip-locked-beside-snapshot', 'skip-locked/snapshot', 'skip-locked/nothing'),
    ]
  } finally {
    await queue.drop()
  }
}

/** @returns drains what was filled */
async function fillQueue(
  queue: BenchQueue,
  id: string,
  events: number,
  db: SqlTx,
): Promise<() => Promise<number>> {
  await queue.pool.query(`truncate ${queue.schema.event}`)
  const destinationId = await queue.addDestination(id)
  await queue.fill(events)
  return () => drainCursor(db, queue.schema, destinationId, events)
}

async function fillSkipLocked(
  outbox: SkipLockedOutbox,
  events: number,
): Promise<() => Promise<number>> {
  await outbox.empty()
  await outbox.fill(events)
  return () => outbox.drain(events, pageEvents)
}

async function whileOpen(
  queue: BenchQueue,
  skipLocked: SkipLockedOutbox,
  variant: Variant,
  drain: () => Promise<number>,
): Promise<number> {
  if (variant.endsWith('nothing')) return drain()
  const client = await queue.pool.connect()
  try {
    if (variant.endsWith('snapshot')) await holdSnapshot(client)
    else await holdWrite(client, queue, skipLocked)
    return await drain()
  } finally {
    await client.query('rollback')
    client.release()
  }
}

/** The snapshot is taken by the first statement. */
async function holdSnapshot(client: PoolClient): Promise<void> {
  await client.query('begin isolation level repeatable read')
  await client.query('select from resource')
}

async function holdWrite(
  client: PoolClient,
  queue: BenchQueue,
  skipLocked: SkipLockedOutbox,
): Promise<void> {
  await client.query('begin')
  await skipLocked.enqueue(client, 0, 0)
  await enqueueEvents(fromPg(client), queue.schema, [
    {
      topicId: queue.topicId,
      interaction: 'create',
      resourceType: 'QuestionnaireResponse',
      resourceId: 'open',
      body: '{}',
    },
  ])
}
