import { startBackends, type Backends } from '../backends.ts'
import type { Figure } from '../figures.ts'
import { benchEnqueue } from './enqueue.ts'
import { benchForeignTransactions } from './foreign-transactions.ts'
import { benchCommitLatency } from './latency.ts'
import { benchLog } from './log.ts'
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
      quick ? { rounds: 1, warmUp: 0, events: 10_000 } : { rounds: 5, warmUp: 1, events: 200_000 },
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
