import { setTimeout as delay } from 'node:timers/promises'
import { Pool } from 'pg'
import { seededRandom } from '../test/helpers/seeded-random.ts'
import { checkDeliveries, checkStatus, untilSettled } from './check.ts'
import { withDeadline } from './deadline.ts'
import { Destinations } from './destinations.ts'
import { faultKinds, faultSql, endsSessions } from './faults.ts'
import { createKafkaTopics, putLasting, type KafkaTopics } from './lasting-destinations.ts'
import { Ledgers } from './ledger.ts'
import { Nodes } from './nodes.ts'
import type { ChaosOptions } from './options.ts'
import { Reader } from './reader.ts'
import type { ChaosReport, Progress } from './report.ts'
import { Schedule } from './schedule.ts'
import { startServices, type Services } from './services.ts'
import { Writers } from './writers.ts'

export interface RunParts {
  /** Services that somebody else keeps. Default: starts its own, and strikes those, too. */
  readonly services?: Services
  /** Names of the kinds of faults to draw from. Default: all. */
  readonly kinds?: readonly string[]
  /** Name of a file in planted/: the nodes have that fault. */
  readonly planted?: string
  /** Called about once a second. */
  readonly onProgress?: (progress: Progress) => void
  /** Ends the run early; what was started is ended. */
  readonly signal?: AbortSignal
}

type Stop = () => Promise<void>

const stopDeadlineMs = 15_000

/** Runs writers and faults against a cluster of reference servers, then compares what a consumer has read with what was committed.
 *  @throws when something does not come back within its deadline, and when the run is called off */
export async function runChaos(options: ChaosOptions, parts: RunParts = {}): Promise<ChaosReport> {
  const stops: Stop[] = []
  const calledOff = new Promise<never>((_resolve, reject) => {
    parts.signal?.addEventListener('abort', () => {
      reject(new Error('The run was called off.'))
    })
  })
  const running = run(options, parts, stops)
  running.catch(() => undefined)
  try {
    return await Promise.race([running, calledOff])
  } finally {
    for (const stop of stops.toReversed()) {
      // One part that does not end must not keep the others.
      await withDeadline(stop(), stopDeadlineMs, 'the end of a part').catch(() => undefined)
    }
  }
}

async function run(options: ChaosOptions, parts: RunParts, stops: Stop[]): Promise<ChaosReport> {
  const startedAtMs = performance.now()
  const stage = await prepare(options, parts, stops)
  const writers = new Writers(stage.nodes, options)
  stops.push(() => writers.stop())
  const schedule = scheduleOf(stage, options, parts)
  const tell = (phase: Progress['phase']): void => {
    parts.onProgress?.({
      phase,
      seconds: (performance.now() - startedAtMs) / 1000,
      events: stage.ledgers.eventCount,
      faults: schedule.total,
      writes: writers.tally.done,
      violations: stage.ledgers.violations.counts,
    })
  }

  const ending = new AbortController()
  stops.push(async () => {
    ending.abort()
    return Promise.resolve()
  })
  const striking = schedule.run(ending.signal)
  await Promise.race([striking, untilEnough(options, stage, schedule, ending.signal, tell)])
  ending.abort()
  await striking
  await writers.stop()
  return conclude(options, stage, schedule, writers, tell, startedAtMs)
}

interface RunStage {
  readonly services: Services
  readonly nodes: Nodes
  readonly destinations: Destinations
  readonly reader: Reader
  readonly ledgers: Ledgers
  readonly kafkaTopics: KafkaTopics
  /** For requests of the driver outside of faults. */
  readonly random: () => number
}

/** Everything up and empty: nodes, topics, the destinations that stay, and the consumer. */
async function prepare(options: ChaosOptions, parts: RunParts, stops: Stop[]): Promise<RunStage> {
  const services = parts.services ?? (await startServices(stops))
  const { databaseUrl, bootstrapServers } = services
  const pool = new Pool({ connectionString: databaseUrl, max: 2 })
  pool.on('error', () => undefined)
  stops.push(() => pool.end())
  const kafkaTopics = await createKafkaTopics(bootstrapServers, options.copies)
  const { checkpointTopic, ...variant } = options.module
  const nodes = new Nodes({
    count: options.nodes,
    databaseUrl,
    moduleOptions: {
      ...variant,
      ...(checkpointTopic ? { checkpointTopic: kafkaTopics.checkpoint } : {}),
    },
    planted: parts.planted,
  })
  stops.push(() => nodes.end())
  await nodes.startAll()
  await pool.query(faultSql)
  const ledgers = new Ledgers()
  const reader = await Reader.start(
    bootstrapServers,
    kafkaTopics.all,
    kafkaTopics.partitionCount,
    (notification, arrivedAtMs) => {
      ledgers.of(notification.destination).add(notification, arrivedAtMs)
    },
  )
  stops.push(() => reader.stop())
  const destinations = new Destinations(nodes, pool, bootstrapServers)
  stops.push(async () => {
    destinations.close()
    return Promise.resolve()
  })
  const random = seededRandom(options.seed + 1)
  await destinations.putTopics(random)
  await putLasting(destinations, kafkaTopics, random)
  return { services, nodes, destinations, reader, ledgers, kafkaTopics, random }
}

/** Faults of services that are not the run's own are left out. */
function scheduleOf(stage: RunStage, options: ChaosOptions, parts: RunParts): Schedule {
  const wanted = parts.kinds ?? Object.keys(faultKinds)
  const kinds = wanted.flatMap((name) => {
    const kind = faultKinds[name]
    if (!kind) throw new Error(`there is no fault ${name}`)
    const isForeign =
      (kind.target === 'postgres' && !stage.services.postgres) ||
      (kind.target === 'kafka' && !stage.services.kafka)
    return isForeign ? [] : [{ name, kind }]
  })
  return new Schedule(
    { ...stage, spareKafkaTopics: stage.kafkaTopics.spare },
    { seed: options.seed, intervalMs: options.faultIntervalMs, kinds },
  )
}

const tellEveryMs = 1000

async function untilEnough(
  { seconds, events, faults }: ChaosOptions,
  { ledgers }: RunStage,
  schedule: Schedule,
  signal: AbortSignal,
  tell: (phase: 'chaos') => void,
): Promise<void> {
  const endsAtMs = performance.now() + seconds * 1000
  const isEnough = (): boolean =>
    performance.now() >= endsAtMs && ledgers.eventCount >= events && schedule.total >= faults
  while (!isEnough() && !signal.aborted) {
    tell('chaos')
    const restMs = endsAtMs - performance.now()
    const pauseMs = restMs > 0 ? Math.min(restMs, tellEveryMs) : tellEveryMs
    await delay(pauseMs, undefined, { signal }).catch(() => undefined)
  }
}

/** Waits until nothing is on its way any more, then checks. */
async function conclude(
  options: ChaosOptions,
  stage: RunStage,
  schedule: Schedule,
  writers: Writers,
  tell: (phase: Progress['phase']) => void,
  startedAtMs: number,
): Promise<ChaosReport> {
  const { services, nodes, destinations, reader, ledgers, random } = stage
  const { violations } = ledgers
  tell('settling')
  const parts = {
    destinations: destinations.all,
    statusOf: async (destination: Destinations['all'][number]) =>
      destinations.status(destination, random),
    ledgers: ledgers.all,
    isBestEffortExact: ![...schedule.counts.keys()].some(endsSessions),
  }
  await untilSettled(parts)
  await reader.untilEnd()
  tell('checking')
  const checked = await checkDeliveries(
    services.databaseUrl,
    destinations.all,
    (id) => ledgers.of(id),
    violations,
  )
  await checkStatus(parts, checked, violations)
  const { leaders, settledByCheckpoint, crashes, failedStops } = nodes.tally
  const faulty = [
    ...writers.tally.unexpected,
    ...(crashes > 0 ? [`${crashes} nodes ended without being told to`] : []),
    ...(failedStops > 0 ? [`${failedStops} nodes did not stop well`] : []),
  ]
  return {
    suite: 'chaos',
    seed: options.seed,
    seconds: Math.round((performance.now() - startedAtMs) / 1000),
    nodes: options.nodes,
    module: options.module,
    events: checked.events,
    writes: writers.tally.done,
    rolledBack: writers.tally.rolledBack,
    refused: writers.tally.refused,
    unanswered: writers.tally.unknown,
    faults: schedule.total,
    faultsByKind: Object.fromEntries(schedule.counts),
    destinations: destinations.all.length,
    leaders,
    settledByCheckpoint,
    deadLetters: [...checked.deadLetters.values()].reduce((sum, count) => sum + count, 0),
    bestEffortReordered: ledgers.of('best-effort').reordered,
    maxSilenceMs: Math.round(ledgers.of('everything').maxSilenceMs),
    readerCrashes: reader.crashes,
    ...violations.counts,
    faulty: faulty.length,
    examples: [...violations.examples, ...faulty.map((text) => `faulty: ${text}`)],
  }
}
