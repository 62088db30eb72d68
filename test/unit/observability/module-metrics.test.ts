import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Registry } from 'prom-client'
import { ClusterFigures } from '../../../src/observability/cluster-figures.ts'
import { RisingSum } from '../../../src/observability/destination-series.ts'
import {
  ModuleMetrics,
  type LaneView,
  type MetricSources,
  type StatedDestination,
} from '../../../src/observability/module-metrics.ts'
import { NodeFigures } from '../../../src/observability/node-figures.ts'
import type { DeliveryCounts } from '../../../src/outbox/delivery-counts.ts'
import type { JobFigures } from '../../../src/outbox/jobs.ts'
import { recordingLogger, type LogLine } from '../../helpers/recording-logger.ts'

const nothing = {
  delivered: 0,
  failedAttempts: 0,
  inProcess: 0,
  queued: 0,
  dead: 0,
  undecided: 0,
  notKept: 0,
  notFired: 0,
  discarded: 0,
  lost: 0,
  oldestEventAge: 0,
}

function counts(destinationId: number, more: Partial<DeliveryCounts> = {}): DeliveryCounts {
  return { ...nothing, destinationId, kind: 'kafka-at-least-once', ...more }
}

/** A module of which the test says what there is. */
class FakeModule {
  counts: readonly DeliveryCounts[] | Error = []
  jobs: readonly JobFigures[] = []
  lanes: readonly LaneView[] = []
  states: Record<number, StatedDestination['state']> = {}
  readonly log: LogLine[] = []
  readonly registry = new Registry()
  readonly figures: NodeFigures
  readonly #options: { labels?: Record<string, string>; maxDestinations: number }
  #attached: ModuleMetrics | undefined

  constructor(maxDestinations: number, labels: Record<string, string> = {}) {
    this.#options = { labels, maxDestinations }
    this.figures = new NodeFigures(maxDestinations)
  }

  /** Each scrape reads anew. */
  async scrape(): Promise<Map<string, number>> {
    this.#attached?.detach()
    const sources: MetricSources = {
      readCluster: () =>
        this.counts instanceof Error
          ? Promise.reject(this.counts)
          : Promise.resolve({ counts: this.counts, jobs: this.jobs }),
      destinations: () =>
        (this.counts instanceof Error ? [] : this.counts).map(({ destinationId, kind }) => ({
          destinationId,
          kind,
          reference: `AidboxTopicDestination/d${destinationId}`,
          state: this.states[destinationId] ?? 'active',
        })),
      lanes: () => this.lanes,
      sharedProducers: () => 3,
      registryAgeMs: () => 250,
      logger: recordingLogger(this.log),
    }
    this.#attached = new ModuleMetrics(
      { registry: this.registry, ...this.#options },
      this.figures,
      sources,
    )
    this.#attached.attach()
    this.#attached.update()
    const text = await this.registry.metrics()
    const found = [...text.matchAll(/^fhir_topic_destination_(\S+) (\S+)$/gm)]
    return new Map(found.map(([, series = '', value = '']) => [series, Number(value)]))
  }
}

function job(
  destinationId: number,
  kind: JobFigures['kind'],
  more: Partial<JobFigures> = {},
): JobFigures {
  return { destinationId, kind, state: 'running', sent: 0, failed: 0, passedOver: 0, ...more }
}

const own = (metric: string, id: string, kind = 'kafka-at-least-once', more = ''): string =>
  `${metric}{destination="${id}",kind="${kind}"${more}}`

describe('the metrics of a module', () => {
  it('tell of the newest jobs how they do, added up where there are too many destinations', async () => {
    const module = new FakeModule(1)
    module.counts = [counts(1), counts(2), counts(3)]
    module.jobs = [
      job(1, 'redrive', { state: 'failed', sent: 2, failed: 1 }),
      job(1, 'backfill', { sent: 5, passedOver: 4 }),
      job(2, 'replay', { sent: 10 }),
      job(3, 'replay', { sent: 20 }),
    ]
    const series = await module.scrape()
    const told = [...series].filter(([name]) => name.startsWith('job_'))
    const of = (id: string, metric: string, more: string): string =>
      own(metric, id, 'kafka-at-least-once', `,${more}`)
    assert.deepEqual(Object.fromEntries(told), {
      [of('d1', 'job_state', 'operation="redrive",state="failed"')]: 1,
      [of('d1', 'job_state', 'operation="backfill",state="running"')]: 1,
      [of('(others)', 'job_state', 'operation="replay",state="running"')]: 2,
      [of('d1', 'job_events', 'operation="redrive",result="sent"')]: 2,
      [of('d1', 'job_events', 'operation="redrive",result="failed"')]: 1,
      [of('d1', 'job_events', 'operation="redrive",result="passed_over"')]: 0,
      [of('d1', 'job_events', 'operation="backfill",result="sent"')]: 5,
      [of('d1', 'job_events', 'operation="backfill",result="failed"')]: 0,
      [of('d1', 'job_events', 'operation="backfill",result="passed_over"')]: 4,
      [of('(others)', 'job_events', 'operation="replay",result="sent"')]: 30,
      [of('(others)', 'job_events', 'operation="replay",result="failed"')]: 0,
      [of('(others)', 'job_events', 'operation="replay",result="passed_over"')]: 0,
    })
  })

  it('tell of each kind what $status tells of it', async () => {
    const module = new FakeModule(10)
    module.counts = [
      counts(1, { delivered: 5, queued: 4, failedAttempts: 3, oldestEventAge: 1.5 }),
      counts(2, { kind: 'kafka-best-effort', delivered: 7, lost: 2 }),
    ]
    module.states = { 2: 'off' }
    const series = await module.scrape()
    for (const [name, value] of [
      [own('events_delivered_total', 'd1'), 5],
      [own('events_queued', 'd1'), 4],
      [own('failed_attempts_total', 'd1'), 3],
      [own('oldest_queued_event_age_seconds', 'd1'), 1.5],
      [own('events_lost_total', 'd1'), undefined],
      [own('events_delivered_total', 'd2', 'kafka-best-effort'), 7],
      [own('events_lost_total', 'd2', 'kafka-best-effort'), 2],
      [own('events_queued', 'd2', 'kafka-best-effort'), undefined],
      [own('state', 'd1', 'kafka-at-least-once', ',state="active"'), 1],
      [own('state', 'd2', 'kafka-best-effort', ',state="off"'), 1],
      ['producers{kind="kafka-best-effort"}', 3],
      ['registry_age_seconds', 0.25],
      ['collect_failures_total', 0],
    ] as const) {
      assert.equal(series.get(name), value, name)
    }
  })

  it('tell what the lanes of this node do', async () => {
    const module = new FakeModule(10)
    module.counts = [counts(1), counts(2), counts(3)]
    module.lanes = [
      { destinationId: 1, state: 'failing', failures: 4, isConnected: false },
      { destinationId: 3, state: 'resting', failures: 0, isConnected: true },
    ]
    const series = await module.scrape()
    for (const [name, value] of [
      [own('leader', 'd1'), 1],
      [own('leader', 'd2'), undefined],
      [own('consecutive_failures', 'd1'), 4],
      ['lanes{state="failing"}', 1],
      ['lanes{state="resting"}', 1],
      ['lanes{state="active"}', 0],
      ['producers{kind="kafka-at-least-once"}', 1],
    ] as const) {
      assert.equal(series.get(name), value, name)
    }
  })

  it('carry the labels of the host', async () => {
    const module = new FakeModule(10, { installation: 'north' })
    module.counts = [counts(1, { queued: 1 })]
    const series = await module.scrape()
    const name = 'events_queued{installation="north",destination="d1",kind="kafka-at-least-once"}'
    assert.equal(series.get(name), 1)
  })

  it('have series of the oldest destinations and add the others up', async () => {
    const module = new FakeModule(2)
    const all = Array.from({ length: 10_000 }, (_, index) =>
      counts(index + 1, { delivered: 10, queued: 1, oldestEventAge: index }),
    )
    module.counts = all
    const series = await module.scrape()
    assert.equal(series.get(own('events_delivered_total', 'd2')), 10)
    assert.equal(series.get(own('events_delivered_total', 'd3')), undefined)
    assert.equal(series.get(own('events_delivered_total', '(others)')), 99_980)
    assert.equal(series.get(own('events_queued', '(others)')), 9998)
    assert.equal(series.get(own('oldest_queued_event_age_seconds', '(others)')), 9999)
    const state = own('state', '(others)', 'kafka-at-least-once', ',state="active"')
    assert.equal(series.get(state), 9998)
    assert.ok(series.size < 100, `${series.size} series`)
  })

  it('have no series of a destination that is gone', async () => {
    const module = new FakeModule(2)
    module.counts = [counts(1), counts(2)]
    module.figures.update([
      { destinationId: 1, reference: 'AidboxTopicDestination/d1', kind: 'kafka-at-least-once' },
    ])
    module.figures.deliverySecondsOf(1, 'kafka-at-least-once').observe(1)
    const latency = own('delivery_duration_seconds_count', 'd1')
    assert.equal((await module.scrape()).get(latency), 1)
    module.counts = [counts(2)]
    const series = [...(await module.scrape()).keys()]
    assert.deepEqual(
      series.filter((name) => name.includes('"d1"')),
      [],
    )
  })

  it('do not fail where the database does; they say so and count it', async () => {
    const module = new FakeModule(2)
    module.counts = new Error('down')
    const series = await module.scrape()
    assert.equal(series.get('collect_failures_total'), 1)
    assert.equal(series.get('registry_age_seconds'), 0.25)
    assert.deepEqual(
      module.log.map(({ level, message }) => [level, message]),
      [['warn', 'metrics are without cluster-wide series: the database does not answer']],
    )
  })
})

describe('sums of those without series of their own', () => {
  it('never fall when one of them goes or gets a series', () => {
    const sum = new RisingSum()
    assert.equal(sum.of(new Map([[1, 5], [2, 6]])), 11) // prettier-ignore
    assert.equal(sum.of(new Map([[2, 7]])), 12)
    assert.equal(sum.of(new Map([[2, 7], [3, 1]])), 13) // prettier-ignore
  })
})

describe('what is read for scrapes', () => {
  it('is read once for all that ask within a second', async () => {
    let reads = 0
    const figures = new ClusterFigures(
      () => Promise.resolve(++reads),
      () => undefined,
    )
    const asked = await Promise.all([figures.current(), figures.current()])
    assert.deepEqual([...asked, await figures.current()], [1, 1, 1])
  })

  it('is left out when it takes too long, and one that hangs is not joined by another', async (t) => {
    let nowMs = 0
    t.mock.method(performance, 'now', () => nowMs)
    let reads = 0
    let answer: (value: number) => void = () => undefined
    const failures: unknown[] = []
    const figures = new ClusterFigures(
      () => {
        reads++
        return new Promise<number>((resolve) => {
          answer = resolve
        })
      },
      (error) => failures.push(error),
      1,
    )
    assert.equal(await figures.current(), undefined)
    assert.deepEqual([figures.failures, failures], [1, [undefined]])
    // When what was found is no longer the answer.
    nowMs = 1000
    assert.equal(await figures.current(), undefined)
    assert.deepEqual([figures.failures, reads], [2, 1])
    answer(1)
    assert.equal(reads, 1)
  })
})
