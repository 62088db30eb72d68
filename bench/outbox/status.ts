import { silentLogger } from '../../src/observability/logger.ts'
import { readDeliveryStatus } from '../../src/outbox/counters.ts'
import { OutboxJanitor } from '../../src/outbox/janitor.ts'
import type { Backends } from '../backends.ts'
import { absoluteFigure, percentile, type Figure } from '../figures.ts'
import { atRate } from '../paced.ts'
import { withModulePool } from './drain-cursor.ts'
import { BenchQueue } from './queue.ts'

const enqueuesPerSecond = 20
const eventsPerEnqueue = 50
/** Until the janitor, which comes each second, has counted what was filled in at once. */
const warmUpMs = 3000

/** How long `$status` takes to read with a long queue, while the janitor counts it and a thousand events a second come in addition. */
export async function benchStatus(
  backends: Backends,
  { rounds, roundMs, queued }: { rounds: number; roundMs: number; queued: number },
): Promise<Figure[]> {
  const queue = await BenchQueue.create(backends, 'bench_status')
  try {
    await queue.addDestination('status')
    const p50: number[] = []
    const p99: number[] = []
    await withModulePool(queue, async (db) => {
      const janitor = new OutboxJanitor({ db, schema: queue.schema, logger: silentLogger })
      janitor.start()
      await queue.fill(queued)
      for (let round = -1; round < rounds; round++) {
        const durationMs = round < 0 ? Math.max(roundMs, warmUpMs) : roundMs
        const enqueued = atRate(enqueuesPerSecond, durationMs, () =>
          queue.enqueue(eventsPerEnqueue),
        )
        const timesMs: number[] = []
        const startMs = performance.now()
        while (performance.now() - startMs < durationMs) {
          const askedMs = performance.now()
          const status = await readDeliveryStatus(db, queue.schema, 'AidboxTopicDestination/status')
          timesMs.push(performance.now() - askedMs)
          if (!status || status.queued < queued) throw new Error(`queued: ${status?.queued ?? 0}`)
        }
        await enqueued
        if (round < 0) continue
        p50.push(percentile(timesMs, 0.5))
        p99.push(percentile(timesMs, 0.99))
      }
      await janitor.stop()
    })
    const figure = (name: string, values: number[]): Figure =>
      absoluteFigure({
        suite: 'outbox',
        name: `status-of-${queued}-queued-${name}`,
        unit: 'ms',
        values,
        target: 5,
      })
    return [figure('p50', p50), figure('p99', p99)]
  } finally {
    await queue.drop()
  }
}
