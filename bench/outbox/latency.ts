import { kafkaTopicDestination } from '../../src/module.ts'
import type { Backends } from '../backends.ts'
import { absoluteFigure, percentile, type Figure } from '../figures.ts'
import { followTopic, type Follower } from '../follow-topic.ts'
import { atRate } from '../paced.ts'
import { EventHost } from './event-host.ts'
import { BenchQueue } from './queue.ts'

const kinds = ['transactional', 'not-transactional'] as const
type Kind = (typeof kinds)[number]

/** Milliseconds at the 50th and the 99th percentile by events a second: for transactional half of what a prototype needed. */
const targets: Readonly<
  Record<Kind, Readonly<Record<number, readonly [p50: number, p99: number]>>>
> = {
  transactional: { 100: [16, 41], 300: [17.5, 40], 1000: [26, 55.5] },
  'not-transactional': { 300: [8, 25] },
}
const rates = [100, 300, 1000]

interface Measured {
  readonly p50: number[]
  readonly p99: number[]
}

/** Time from COMMIT, when the host sends it, to a `read_committed` consumer. Host, module and consumer are one process. The two kinds take
 *  turns, each with its rates. */
export async function benchCommitLatency(
  backends: Backends,
  { rounds, roundMs }: { rounds: number; roundMs: number },
): Promise<Figure[]> {
  const nodes: Record<Kind, Node> = {
    transactional: await startNode(backends, true),
    'not-transactional': await startNode(backends, false),
  }
  const measured = new Map<string, Measured>()
  try {
    for (let round = -1; round < rounds; round++) {
      for (const kind of round % 2 === 0 ? kinds : kinds.toReversed()) {
        for (const rate of rates) {
          const latenciesMs = await nodes[kind].measure(rate, roundMs)
          const name = `${kind}-at-${rate}-per-s`
          const sofar = measured.get(name) ?? { p50: [], p99: [] }
          measured.set(name, sofar)
          if (round < 0) continue
          sofar.p50.push(percentile(latenciesMs, 0.5))
          sofar.p99.push(percentile(latenciesMs, 0.99))
        }
      }
    }
  } finally {
    for (const node of Object.values(nodes)) await node.stop()
  }
  return kinds.flatMap((kind) =>
    rates.flatMap((rate) => {
      const { p50 = [], p99 = [] } = measured.get(`${kind}-at-${rate}-per-s`) ?? {}
      const target = targets[kind][rate]
      const figure = (name: string, values: number[], at: 0 | 1): Figure =>
        absoluteFigure({
          suite: 'outbox',
          name: `commit-to-consumer-${kind}-at-${rate}-per-s-${name}`,
          unit: 'ms',
          values,
          ...(target ? { target: target[at] } : {}),
        })
      return [figure('p50', p50, 0), figure('p99', p99, 1)]
    }),
  )
}

interface Node {
  /** @returns one latency in milliseconds for each event */
  measure(rate: number, durationMs: number): Promise<number[]>
  stop(): Promise<void>
}

async function startNode(backends: Backends, transactional: boolean): Promise<Node> {
  const name = `latency_${transactional ? 'transactional' : 'plain'}`
  const queue = await BenchQueue.create(backends, name)
  await queue.addDestination(name)
  const host = new EventHost(queue.pool)
  const module = kafkaTopicDestination({
    database: queue.url,
    baseUrl: 'https://fhir.example.org/fhir',
    transactional,
  })
  module.register(host)
  await module.start()
  const sentMs = new Map<string, number>()
  let latenciesMs: number[] = []
  const follower: Follower = await followTopic(
    backends.bootstrapServers,
    name,
    (_value, _arrivedMs, key) => {
      const committedMs = sentMs.get(key)
      if (committedMs === undefined || !sentMs.delete(key)) return
      latenciesMs.push(performance.now() - committedMs)
    },
  )
  return {
    async measure(rate, durationMs) {
      latenciesMs = []
      const sent = await atRate(rate, durationMs, () =>
        host.create((id) => sentMs.set(id, performance.now())),
      )
      await follower.until(() => latenciesMs.length >= sent)
      return latenciesMs
    },
    async stop() {
      await follower.stop()
      await module.stop()
      await queue.drop()
    },
  }
}
