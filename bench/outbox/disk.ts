import { silentLogger } from '../../src/observability/logger.ts'
import { setTimeout as delay } from 'node:timers/promises'
import { EventCursor } from '../../src/outbox/event-cursor.ts'
import type { SqlTx } from '../../src/host/types.ts'
import { OutboxJanitor } from '../../src/outbox/janitor.ts'
import type { Backends } from '../backends.ts'
import { absoluteFigure, type Figure } from '../figures.ts'
import { atRate } from '../paced.ts'
import { pageEvents, withModulePool } from './drain-cursor.ts'
import { BenchQueue } from './queue.ts'

const eventsPerEnqueue = 100
const sampleMs = 100
/** The janitor comes each second. */
const steadyMs = 3000
const pageBytes = 8 * 1024 * 1024
const megabyte = 1e6
/** Of an event of 2 KB, with its part of page, row and index headers. */
const megabytesPerEvent = 0.0026
const wantedSlots = 3

/** Disk that the outbox takes while ten slots of events go through it, enqueued at a steady rate and acknowledged as they come, and after. */
export async function benchDisk(
  backends: Backends,
  { events, slotEvents, perSecond }: { events: number; slotEvents: number; perSecond: number },
): Promise<Figure[]> {
  const queue = await BenchQueue.create(backends, 'bench_disk', slotEvents)
  try {
    const destinationId = await queue.addDestination('disk')
    let peakMb = 0
    await withModulePool(queue, async (db) => {
      const janitor = new OutboxJanitor({ db, schema: queue.schema, logger: silentLogger })
      janitor.start()
      const sampling = setInterval(() => {
        void megabytesOf(queue).then((size) => (peakMb = Math.max(peakMb, size)))
      }, sampleMs)
      const enqueues = atRate(perSecond / eventsPerEnqueue, (events / perSecond) * 1000, () =>
        queue.enqueue(eventsPerEnqueue),
      )
      await settleAll(db, queue, destinationId, events)
      await enqueues
      await untilSteady(queue)
      clearInterval(sampling)
      await janitor.stop()
    })
    const figure = (name: string, value: number): Figure =>
      absoluteFigure({
        suite: 'outbox',
        name: `disk-${name}-${events}-events`,
        unit: 'MB',
        values: [value],
        target: wantedSlots * slotEvents * megabytesPerEvent,
      })
    return [figure('after', await megabytesOf(queue)), figure('peak-of', peakMb)]
  } finally {
    await queue.drop()
  }
}

/** As a lane does: it looks again after a short rest, and writes the position down in the end. */
async function settleAll(
  db: SqlTx,
  { schema }: BenchQueue,
  destinationId: number,
  events: number,
): Promise<void> {
  const cursor = await EventCursor.load(db, schema, destinationId, 0)
  for (let settled = 0; settled < events;) {
    const page = await cursor.nextPage(pageEvents, pageBytes)
    if (page) {
      await cursor.acknowledge(page)
      settled += page.events.length
    } else await delay(10)
  }
  await cursor.rest()
}

async function untilSteady(queue: BenchQueue): Promise<void> {
  let size = 0
  let sinceMs = performance.now()
  while (performance.now() - sinceMs < steadyMs) {
    const now = await megabytesOf(queue)
    if (now !== size) sinceMs = performance.now()
    size = now
    await delay(sampleMs)
  }
}

/** Tables of the outbox with their indexes and large bodies. */
async function megabytesOf({ pool, schema }: BenchQueue): Promise<number> {
  const { rows } = await pool.query<{ bytes: string }>(
    `select coalesce(sum(pg_total_relation_size(c.oid)), 0) as bytes
       from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relkind = 'r'`,
    [schema.name],
  )
  return Number(rows[0]?.bytes) / megabyte
}
