import { fromPg } from '../../src/host/sql-tx.ts'
import type { FhirResource, ReferencesQuery } from '../../src/host/types.ts'
import { kafkaTopicDestination } from '../../src/module.ts'
import { createJob, readJob } from '../../src/outbox/jobs.ts'
import { PgHost } from '../../test/integration/delivery/pg-host.ts'
import type { Backends } from '../backends.ts'
import { benchTopicUrl } from '../bench-resources.ts'
import { absoluteFigure, percentile, ratioFigure, type Figure } from '../figures.ts'
import { followTopic } from '../follow-topic.ts'
import { atRate } from '../paced.ts'
import { EventHost } from './event-host.ts'
import { bodyTemplate, BenchQueue } from './queue.ts'

const maxRatio = 1.5
const livePerSecond = 100
const quantiles = { p50: 0.5, p99: 0.99 } as const
type Quantile = keyof typeof quantiles

export interface BackfillOptions {
  readonly rounds: number
  readonly resources: number
  readonly maxPerSecond: number
}

/** Writes events of its own, and has the resources of a table. */
class FilledHost extends EventHost {
  readonly #stored: PgHost

  constructor(queue: BenchQueue) {
    super(queue.pool)
    this.#stored = new PgHost(queue.pool)
  }

  override read(references: readonly string[]): Promise<ReadonlyMap<string, FhirResource>> {
    return this.#stored.read(references)
  }

  references(query: ReferencesQuery): Promise<readonly string[]> {
    return this.#stored.references(query)
  }
}

/** Time from COMMIT to a `read_committed` consumer at a hundred events a second, alone and while a backfill of the same destination runs at its
 *  rate. Each round measures both, for as long as the backfill takes. */
export async function benchBackfill(
  backends: Backends,
  { rounds, resources, maxPerSecond }: BackfillOptions,
): Promise<Figure[]> {
  const name = 'backfill'
  const queue = await BenchQueue.create(backends, name)
  const destinationId = await queue.addDestination(name)
  await queue.pool.query(
    `insert into resource select 'QuestionnaireResponse/bench-' || n, 1, replace($1, '{n}', n::text)::jsonb from generate_series(1, $2::int) n`,
    [bodyTemplate, resources],
  )
  await queue.pool.query('vacuum analyze resource')
  const host = new FilledHost(queue)
  const module = kafkaTopicDestination({
    database: queue.url,
    baseUrl: 'https://fhir.example.org/fhir',
  })
  module.register(host)
  await module.start()
  const sentMs = new Map<string, number>()
  let latenciesMs: number[] = []
  const follower = await followTopic(backends.bootstrapServers, name, (_value, _arrivedMs, key) => {
    const committedMs = sentMs.get(key)
    if (committedMs === undefined || !sentMs.delete(key)) return
    latenciesMs.push(performance.now() - committedMs)
  })
  const measure = async (durationMs: number): Promise<readonly number[]> => {
    latenciesMs = []
    const sent = await atRate(livePerSecond, durationMs, () =>
      host.create((id) => sentMs.set(id, performance.now())),
    )
    await follower.until(() => latenciesMs.length >= sent)
    return latenciesMs
  }
  const db = fromPg(queue.pool)
  const alone: Record<Quantile, number[]> = { p50: [], p99: [] }
  const beside: Record<Quantile, number[]> = { p50: [], p99: [] }
  const rates: number[] = []
  const durationMs = (1000 * resources) / maxPerSecond
  try {
    await measure(Math.min(durationMs, 2000))
    for (let round = 0; round < rounds; round++) {
      const before = await measure(durationMs)
      const job = await createJob(db, queue.schema, {
        destinationId,
        kind: 'backfill',
        selection: { topicUrl: benchTopicUrl },
        maxPerSecond,
        position: '',
        total: undefined,
      })
      if (!job) throw new Error('a backfill is running already')
      const during = await measure(durationMs)
      const { sent = 0, createdAt, endedAt } = (await ended(queue, job.id)) ?? {}
      if (sent !== resources || !createdAt || !endedAt) throw new Error(`${sent} were backfilled`)
      rates.push((1000 * sent) / (endedAt.getTime() - createdAt.getTime()))
      for (const [quantile, share] of Object.entries(quantiles) as [Quantile, number][]) {
        alone[quantile].push(percentile(before, share))
        beside[quantile].push(percentile(during, share))
      }
    }
  } finally {
    await follower.stop()
    await module.stop()
    await queue.drop()
  }
  return [
    ...(['p50', 'p99'] as const).map((quantile) =>
      atMost(`live-beside-backfill-${quantile}`, beside[quantile], alone[quantile]),
    ),
    absoluteFigure({
      suite: 'outbox',
      name: `backfill-at-${maxPerSecond}-per-s`,
      unit: 'resources/s',
      values: rates,
    }),
  ]
}

/** Its row says when; nothing is measured meanwhile. */
async function ended(queue: BenchQueue, id: string): ReturnType<typeof readJob> {
  const db = fromPg(queue.pool)
  for (;;) {
    const job = await readJob(db, queue.schema, id)
    if (job?.state !== 'running') return job
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

function atMost(name: string, values: readonly number[], baselines: readonly number[]): Figure {
  const baseline = 'live-alone'
  const figure = ratioFigure({ suite: 'outbox', name, unit: 'ms', baseline, values, baselines })
  return { ...figure, target: maxRatio, met: (figure.ratio ?? Infinity) <= maxRatio }
}
