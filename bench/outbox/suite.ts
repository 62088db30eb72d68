import { startBackends, type Backends } from '../backends.ts'
import type { Figure } from '../figures.ts'
import { benchBackfill } from './backfill.ts'
import { benchEnqueue } from './enqueue.ts'
import { benchDisk } from './disk.ts'
import { benchFailover } from './failover.ts'
import { benchForeignTransactions } from './foreign-transactions.ts'
import { benchCommitLatency } from './latency.ts'
import { benchLog } from './log.ts'
import { benchMemory } from './memory.ts'
import { benchStatus } from './status.ts'
import { benchToKafka } from './to-kafka.ts'

/** Each group in a database of its own, in this order. */
const groups: Readonly<
  Record<string, (backends: Backends, quick: boolean) => Promise<readonly Figure[]>>
> = {
  enqueue: (backends, quick) =>
    benchEnqueue(backends, quick ? { rounds: 1, sliceMs: 250 } : { rounds: 7, sliceMs: 2000 }),
  log: (backends, quick) =>
    benchLog(backends, quick ? { rounds: 1, events: 20_000 } : { rounds: 7, events: 500_000 }),
  kafka: (backends, quick) =>
    benchToKafka(
      backends,
      quick ? { rounds: 1, warmUp: 0, events: 5000 } : { rounds: 7, warmUp: 1, events: 100_000 },
    ),
  foreign: (backends, quick) =>
    benchForeignTransactions(
      backends,
      quick ? { rounds: 1, warmUp: 0, events: 10_000 } : { rounds: 3, warmUp: 1, events: 400_000 },
    ),
  status: (backends, quick) =>
    benchStatus(
      backends,
      quick
        ? { rounds: 1, roundMs: 1000, queued: 50_000 }
        : { rounds: 5, roundMs: 5000, queued: 1_000_000 },
    ),
  latency: (backends, quick) =>
    benchCommitLatency(
      backends,
      quick ? { rounds: 1, roundMs: 1000 } : { rounds: 7, roundMs: 5000 },
    ),
  backfill: (backends, quick) =>
    benchBackfill(
      backends,
      quick
        ? { rounds: 1, resources: 3000, maxPerSecond: 1000 }
        : { rounds: 1, resources: 100_000, maxPerSecond: 500 },
    ),
  failover: (backends, quick) =>
    benchFailover(backends, quick ? { rounds: 1, hangs: 1 } : { rounds: 7, hangs: 3 }),
  disk: (backends, quick) =>
    benchDisk(
      backends,
      quick
        ? { events: 50_000, slotEvents: 5000, perSecond: 10_000 }
        : { events: 1_000_000, slotEvents: 100_000, perSecond: 20_000 },
    ),
  memory: (backends, quick) =>
    benchMemory(
      backends,
      quick ? { rounds: 1, backlogBytes: 100 * 1024 ** 2 } : { rounds: 3, backlogBytes: 1024 ** 3 },
    ),
}

export const outboxGroups: readonly string[] = Object.keys(groups)

/** As a server that must not lose anything runs. */
const durable = { fsync: 'on', full_page_writes: 'on' }

/** @param names of groups, which run in the order above */
export async function benchOutbox(names: readonly string[], quick: boolean): Promise<Figure[]> {
  const backends = await startBackends(durable)
  const figures: Figure[] = []
  try {
    for (const [name, run] of Object.entries(groups)) {
      if (!names.includes(name)) continue
      const startMs = performance.now()
      figures.push(...(await run(backends, quick)))
      console.error(`outbox/${name}: ${Math.round((performance.now() - startMs) / 1000)} s`)
    }
  } finally {
    await backends.stop()
  }
  return figures
}
