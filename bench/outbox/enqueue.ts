import { randomUUID } from 'node:crypto'
import type { PoolClient } from 'pg'
import { fromPg } from '../../src/host/sql-tx.ts'
import type { SqlTx } from '../../src/host/types.ts'
import { enqueueEvents, type NewEvent } from '../../src/outbox/enqueue.ts'
import type { Backends } from '../backends.ts'
import { benchResponse } from '../bench-resources.ts'
import { ratioFigure, type Figure } from '../figures.ts'
import { inTurns } from '../in-turns.ts'
import { saturate } from '../paced.ts'
import { BenchQueue } from './queue.ts'

/** What one transaction writes. */
interface Variant {
  readonly resources: number
  /** Topics that want each resource: so many rows. */
  readonly topics: number
  /** Destinations of each topic, which cost no row. */
  readonly destinations: number
  /** The event is part of the statement that writes the resource. */
  readonly isFolded?: boolean
  /** One statement for each event, as nobody should write them. */
  readonly isOneByOne?: boolean
}

const variants = {
  'resource-alone': { resources: 1, topics: 0, destinations: 0 },
  'one-destination': { resources: 1, topics: 1, destinations: 1 },
  'one-topic-five-destinations': { resources: 1, topics: 1, destinations: 5 },
  'five-topics': { resources: 1, topics: 5, destinations: 1 },
  'one-destination-folded': { resources: 1, topics: 1, destinations: 1, isFolded: true },
  'five-topics-folded': { resources: 1, topics: 5, destinations: 1, isFolded: true },
} as const satisfies Record<string, Variant>

const bundleVariants = {
  'bundle-of-100-alone': { resources: 100, topics: 0, destinations: 0 },
  'bundle-of-100': { resources: 100, topics: 1, destinations: 1 },
  'bundle-of-100-one-by-one': { resources: 100, topics: 1, destinations: 1, isOneByOne: true },
} as const satisfies Record<string, Variant>

/** Transactions a second that write a 2 KB resource, with its events and without. */
export async function benchEnqueue(
  backends: Backends,
  { rounds, sliceMs }: { rounds: number; sliceMs: number },
): Promise<Figure[]> {
  const queue = await BenchQueue.create(backends, 'bench_enqueue')
  try {
    await queue.pool.query(
      'create table stored (id uuid primary key, content text not null, last_updated timestamptz not null default now())',
    )
    for (let n = 1; n <= 5; n++) await queue.addDestination(`enqueue-${n}`)
    const figures: Figure[] = []
    for (const connections of [1, 8]) {
      figures.push(...(await compare(queue, variants, connections, { rounds, sliceMs })))
    }
    figures.push(...(await compare(queue, bundleVariants, 1, { rounds, sliceMs })))
    return figures
  } finally {
    await queue.drop()
  }
}

/** The first variant is the baseline of the others. */
async function compare(
  queue: BenchQueue,
  compared: Readonly<Record<string, Variant>>,
  connections: number,
  { rounds, sliceMs }: { rounds: number; sliceMs: number },
): Promise<Figure[]> {
  const names = Object.keys(compared)
  const tps = await inTurns(names, { rounds, warmUp: 1 }, async (name) => {
    const variant = compared[name]
    if (!variant) throw new RangeError(name)
    const measured = await slice(queue, variant, connections, sliceMs)
    await queue.pool.query(`truncate ${queue.schema.event}, stored`)
    return measured
  })
  const [baseline = '', ...others] = names
  return others.map((name) =>
    ratioFigure({
      suite: 'outbox',
      name: `enqueue-${name}-${connections}-connection${connections === 1 ? '' : 's'}`,
      unit: 'transactions/s',
      baseline,
      values: tps[name] ?? [],
      baselines: tps[baseline] ?? [],
    }),
  )
}

async function slice(
  queue: BenchQueue,
  variant: Variant,
  connections: number,
  sliceMs: number,
): Promise<number> {
  const clients = await Promise.all(Array.from({ length: connections }, () => queue.pool.connect()))
  try {
    return await saturate(connections, sliceMs, (worker) =>
      transaction(clients[worker] as PoolClient, queue, variant),
    )
  } finally {
    for (const client of clients) client.release()
  }
}

async function transaction(client: PoolClient, queue: BenchQueue, variant: Variant): Promise<void> {
  const resources = Array.from({ length: variant.resources }, () => {
    const id = randomUUID()
    return { id, content: JSON.stringify({ ...benchResponse(), id, meta: { versionId: '1' } }) }
  })
  await client.query('begin')
  if (variant.isFolded === true) {
    for (const resource of resources) {
      const events = eventsOf(resource, variant, queue.topicId)
      await enqueueEvents(folded(client, resource), queue.schema, events)
    }
  } else {
    for (const { id, content } of resources) {
      await client.query({ name: 'store', text: insertResource(1), values: [id, content] })
    }
    const events = resources.flatMap((resource) => eventsOf(resource, variant, queue.topicId))
    const tx = fromPg(client)
    if (variant.isOneByOne === true) {
      for (const event of events) await enqueueEvents(tx, queue.schema, [event])
    } else if (events.length > 0) await enqueueEvents(tx, queue.schema, events)
  }
  await client.query('commit')
}

interface Resource {
  readonly id: string
  readonly content: string
}

/** Rows of topics beyond the first have no topic in the registry: enqueuing looks at none. */
function eventsOf({ id, content }: Resource, { topics }: Variant, topicId: number): NewEvent[] {
  return Array.from({ length: topics }, (_, index) => ({
    topicId: topicId + index,
    interaction: 'create',
    resourceType: 'QuestionnaireResponse',
    resourceId: id,
    versionId: '1',
    body: content,
  }))
}

const insertResource = (firstPlace: number): string =>
  `insert into stored (id, content) values ($${firstPlace}, $${firstPlace + 1})`

/** Takes the statement of the outbox and writes the resource with it, as a host may. */
function folded(client: PoolClient, { id, content }: Resource): SqlTx {
  return {
    query: (text, values = []) =>
      client.query(`with stored as (${insertResource(values.length + 1)}) ${text}`, [
        ...values,
        id,
        content,
      ]) as ReturnType<SqlTx['query']>,
  } as SqlTx
}
