import { setTimeout as delay } from 'node:timers/promises'
import type { ModuleOptions } from '../../src/options.ts'
import { createTopic } from '../../test/helpers/kafka.ts'
import type { Backends } from '../backends.ts'
import { absoluteFigure, type Figure } from '../figures.ts'
import { followTopic, type Follower } from '../follow-topic.ts'
import { startRelay, type BenchProcess } from './child-process.ts'
import { BenchQueue } from './queue.ts'

/** What the leader is doing when it ends, and how it ends. */
const cases = [
  'killed-at-rest',
  'killed-in-transaction',
  'killed-in-transaction-with-checkpoint-topic',
  'hung-at-rest',
] as const
type Case = (typeof cases)[number]

/** A hung node is silent for so long before the others may take over, in milliseconds. */
const sessionTimeoutMs = 10_000
const targetsMs: Readonly<Record<Case, number>> = {
  'killed-at-rest': 500,
  'killed-in-transaction': 500,
  'killed-in-transaction-with-checkpoint-topic': 500,
  'hung-at-rest': sessionTimeoutMs + 500,
}
const backlogEvents = 20_000
const maxAttempts = 20

/** Time from the end of the leader to the next event at a `read_committed` consumer, which the other of two nodes has sent. */
export async function benchFailover(
  backends: Backends,
  { rounds, hangs }: { rounds: number; hangs: number },
): Promise<Figure[]> {
  const queue = await BenchQueue.create(backends, 'bench_failover')
  // A queue of its own: nodes of both would share its destinations.
  const apart = await BenchQueue.create(backends, 'bench_failover_apart')
  const checkpointTopic = 'failover-checkpoints'
  await createTopic(backends.bootstrapServers, checkpointTopic)
  const cluster = await Cluster.start(queue, 'failover', {})
  const withTopic = await Cluster.start(apart, 'failover-apart', { checkpointTopic })
  const timesMs: Record<Case, number[]> = {
    'killed-at-rest': [],
    'killed-in-transaction': [],
    'killed-in-transaction-with-checkpoint-topic': [],
    'hung-at-rest': [],
  }
  try {
    for (let round = 0; round < rounds; round++) {
      timesMs['killed-at-rest'].push(await cluster.endAtRest('SIGKILL'))
      timesMs['killed-in-transaction'].push(await cluster.killInTransaction())
      timesMs['killed-in-transaction-with-checkpoint-topic'].push(
        await withTopic.killInTransaction(),
      )
      if (round < hangs) timesMs['hung-at-rest'].push(await cluster.endAtRest('SIGSTOP'))
    }
  } finally {
    await cluster.stop()
    await withTopic.stop()
    await queue.drop()
    await apart.drop()
  }
  return cases.map((name) =>
    absoluteFigure({
      suite: 'outbox',
      name: `failover-leader-${name}`,
      unit: 'ms',
      values: timesMs[name],
      target: targetsMs[name],
    }),
  )
}

/** What a consumer has seen, by event number: when first, and how often. */
class Seen {
  readonly #firstMs = new Map<number, number>()
  readonly #times = new Map<number, number>()
  last = 0

  note(value: string): void {
    const number = Number(/"eventNumber":(\d+)/.exec(value)?.[1])
    if (!this.#firstMs.has(number)) this.#firstMs.set(number, performance.now())
    this.#times.set(number, this.times(number) + 1)
    this.last = Math.max(this.last, number)
  }

  firstMs(number: number): number | undefined {
    return this.#firstMs.get(number)
  }

  times(number: number): number {
    return this.#times.get(number) ?? 0
  }
}

/** Two nodes, of which one leads; whoever was ended is replaced before the next time. */
class Cluster {
  readonly #queue: BenchQueue
  readonly #destinationId: number
  readonly #options: Partial<ModuleOptions>
  readonly #nodes = new Set<BenchProcess>()
  readonly #committed = new Seen()
  readonly #written = new Seen()
  readonly #followers: Follower[] = []
  #enqueued = 0

  private constructor(queue: BenchQueue, destinationId: number, options: Partial<ModuleOptions>) {
    this.#queue = queue
    this.#destinationId = destinationId
    this.#options = options
  }

  static async start(
    queue: BenchQueue,
    topic: string,
    options: Partial<ModuleOptions>,
  ): Promise<Cluster> {
    const cluster = new Cluster(queue, await queue.addDestination(topic), options)
    for (const isolation of ['read_committed', 'read_uncommitted'] as const) {
      const seen = isolation === 'read_committed' ? cluster.#committed : cluster.#written
      const note = (value: string): void => {
        seen.note(value)
      }
      const { bootstrapServers } = queue
      cluster.#followers.push(await followTopic(bootstrapServers, topic, note, isolation))
    }
    return cluster
  }

  async stop(): Promise<void> {
    for (const node of this.#nodes) await node.end()
    for (const follower of this.#followers) await follower.stop()
  }

  /** The event is enqueued when the leader has ended.
   *  @returns milliseconds */
  async endAtRest(signal: 'SIGKILL' | 'SIGSTOP'): Promise<number> {
    const leader = await this.#leader()
    const endedMs = performance.now()
    leader.signal(signal)
    const number = await this.#enqueue(1)
    const timeMs = (await this.#untilCommitted(number)) - endedMs
    await this.#remove(leader)
    return timeMs
  }

  /** Kills the leader when records of a transaction are in Kafka and not committed. When it has been faster, again.
   *  @returns milliseconds until the first of these events is there from the next leader */
  async killInTransaction(): Promise<number> {
    for (let attempt = 1; attempt <= maxAttempts; attempt++) {
      const leader = await this.#leader()
      const [, written] = this.#followers
      const last = await this.#enqueue(backlogEvents)
      const before = this.#committed.last
      await written?.until(() => this.#written.last > Math.max(before, this.#committed.last))
      const open = this.#committed.last + 1
      const endedMs = performance.now()
      leader.signal('SIGKILL')
      const timeMs = (await this.#untilCommitted(open)) - endedMs
      await this.#untilCommitted(last)
      await written?.until(() => this.#written.last >= last)
      await this.#remove(leader)
      // Only what was aborted is there twice.
      if (this.#written.times(open) > 1) return timeMs
    }
    throw new Error(`${maxAttempts} leaders were killed, none in an open transaction`)
  }

  /** @returns the number of the last event */
  async #enqueue(events: number): Promise<number> {
    for (let start = 0; start < events; start += 1000) {
      await this.#queue.enqueue(Math.min(1000, events - start), this.#enqueued + start)
    }
    this.#enqueued += events
    return this.#enqueued
  }

  async #untilCommitted(number: number): Promise<number> {
    const [committed] = this.#followers
    await committed?.until(() => this.#committed.firstMs(number) !== undefined)
    return this.#committed.firstMs(number) ?? Number.NaN
  }

  /** Fills the cluster up and has it deliver one event, so that its leader is connected, has delivered all and rests. */
  async #leader(): Promise<BenchProcess> {
    while (this.#nodes.size < 2) {
      this.#nodes.add(await startRelay(this.#queue.url, this.#options))
    }
    await this.#untilCommitted(await this.#enqueue(1))
    for (;;) {
      const { rows } = await this.#queue.pool.query<{ name: string; delivered: string }>(
        `select n.name, d.delivered from ${this.#queue.schema.destination} d join ${this.#queue.schema.node} n on n.id = d.leader
          where d.id = $1`,
        [this.#destinationId],
      )
      const [row] = rows
      const leader = [...this.#nodes].find(({ processId }) => row?.name.endsWith(`:${processId}`))
      if (leader && Number(row?.delivered) === this.#enqueued) return leader
      await delay(20)
    }
  }

  async #remove(node: BenchProcess): Promise<void> {
    this.#nodes.delete(node)
    await node.end()
  }
}
