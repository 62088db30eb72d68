import { randomUUID } from 'node:crypto'
import type { Pool } from 'pg'
import { openPool, poolConfig } from './database-pool.ts'
import { BestEffortDelivery } from './delivery/best-effort.ts'
import { DestinationWarnings } from './delivery/destination-warnings.ts'
import { commitHooks } from './delivery/commit-hooks.ts'
import { jobWork } from './delivery/jobs/job-works.ts'
import { LaneSupervisor } from './delivery/lane-supervisor.ts'
import { pageProducers } from './delivery/page-producers.ts'
import { Registry } from './delivery/registry.ts'
import { UndecidedParking } from './delivery/undecided-parking.ts'
import { UndecidedQueue } from './delivery/undecided-queue.ts'
import { fromPg } from './host/sql-tx.ts'
import type { CommitHooks, FhirHost, SqlTx } from './host/types.ts'
import { allowedPlaces, type AllowedPlaces } from './kafka/allowed-places.ts'
import { ProducerPool } from './kafka/producer-pool.ts'
import { ModuleMonitor } from './monitor/delivery-monitor.ts'
import type { Logger } from './observability/logger.ts'
import { defaultMaxDestinations, ModuleMetrics } from './observability/module-metrics.ts'
import { NodeFigures } from './observability/node-figures.ts'
import { Telemetry } from './observability/telemetry.ts'
import type { ResolvedOptions } from './options.ts'
import { readDeliveryCounts } from './outbox/delivery-counts.ts'
import { EventNotices } from './outbox/event-notices.ts'
import { newestJobFigures } from './outbox/jobs.ts'
import { OutboxJanitor } from './outbox/janitor.ts'
import { Leadership } from './outbox/leadership.ts'
import { NodeLease } from './outbox/node-lease.ts'
import type { NodePresence } from './outbox/node-presence.ts'
import { NodeSession } from './outbox/node-session.ts'
import { closeMoves } from './outbox/sources.ts'
import type { OutboxSchema } from './outbox/schema.ts'
import type { SecretSource } from './resources/secrets.ts'
import { destinationState } from './status/destination-state.ts'
import { transactionsUntilEnded, untilEnded } from './stopped.ts'
import type { Catalogue } from './topology/catalogue.ts'

/** A renewal must come in time or fail in time; an election may be under way at the same time. */
const leasePoolLimits = { max: 2, query_timeout: 5000, connectionTimeoutMillis: 5000 }

/** What one loaded module consists of. */
export interface Parts {
  readonly db: SqlTx
  /** A transaction of the module's own pool. */
  readonly inTransaction: <Result>(work: (tx: SqlTx) => Promise<Result>) => Promise<Result>
  /** Aborted when the module stops: reads of the host for jobs are given up. */
  readonly jobReads: AbortController
  readonly registry: Registry
  readonly presence: NodePresence
  /** Connections of the presence, where it has some. */
  readonly leasePool: Pool | undefined
  readonly producers: ProducerPool
  readonly bestEffort: BestEffortDelivery
  readonly lanes: LaneSupervisor
  readonly hooks: CommitHooks
  readonly undecided: UndecidedQueue
  readonly janitor: OutboxJanitor
  readonly warnings: DestinationWarnings
  readonly monitor: ModuleMonitor
  readonly telemetry: Telemetry
  /** Where the host has given a registry. */
  readonly metrics: ModuleMetrics | undefined
  readonly allowed: AllowedPlaces
  /** Known once the outbox is migrated; lanes begin after that. */
  readonly installation: { id: string }
  /** Transactional id and checkpoint group of the destination with an id. */
  readonly transactionalIdOf: (id: string) => string
}

export interface Wiring {
  readonly options: ResolvedOptions
  readonly schema: OutboxSchema
  readonly secrets: SecretSource
  readonly pool: Pool
  /** What destinations may write to; undefined: any Kafka topic. */
  readonly catalogue: Catalogue | undefined
}

/** Makes them, each with those that it needs. Nothing runs yet. */
export function wireParts(
  host: FhirHost,
  { options, schema, secrets, pool, catalogue }: Wiring,
): Parts {
  const { logger, registryLeaseMs, baseUrl, cloudEventsHeaders, deliveredRetentionMs } = options
  const db = untilEnded(pool)
  const figures =
    options.metrics && new NodeFigures(options.metrics.maxDestinations ?? defaultMaxDestinations)
  const telemetry = new Telemetry(schema.name, figures)
  const installation = { id: '' }
  const transactionalIdOf = (id: string): string =>
    `${options.transactionalIdPrefix}-${installation.id}-${id}`
  const allowed = allowedPlaces(options)
  const { isServerAllowed } = allowed
  const registry = new Registry({
    ...options,
    ...allowed,
    db,
    schema,
    host,
    secrets,
    leaseMs: registryLeaseMs,
  })
  const leasePool =
    options.leadership === 'lease' ? openPool(options.database, logger, leasePoolLimits) : undefined
  const presence = leasePool
    ? new NodeLease(fromPg(leasePool), schema, logger, { deliveredRetentionMs })
    : new NodeSession(poolConfig(options.database), schema, logger, { deliveredRetentionMs })
  const producers = new ProducerPool()
  const bestEffort = new BestEffortDelivery({
    db,
    schema,
    nodeId: randomUUID(),
    pool: producers,
    isServerAllowed,
    baseUrl,
    cloudEventsHeaders,
    logger,
    telemetry,
  })
  const jobReads = new AbortController()
  const lanes = new LaneSupervisor({
    ...options,
    keptDelivered: options.deliveredRetentionMs > 0 ? options.deliveredRetention : undefined,
    jobWork: jobWork({ db, schema, host, registry, signal: jobReads.signal }),
    db,
    schema,
    registry,
    presence,
    leadership: new Leadership(presence, schema),
    notices: new EventNotices(db, schema, logger),
    createProducer: pageProducers(options, isServerAllowed, transactionalIdOf),
    telemetry,
  })
  const parking = new UndecidedParking({ ...options, db, schema })
  const wakeLanes = (topicIds: ReadonlySet<number>): void => {
    lanes.wake(topicIds)
  }
  const inTransaction = transactionsUntilEnded(pool)
  const undecided = new UndecidedQueue({
    db,
    inTransaction,
    schema,
    host,
    registry,
    parking,
    wakeLanes,
    maxQueuesAtOnce: undecidedQueuesAtOnce(pool),
    logger,
    telemetry,
  })
  const monitor = new ModuleMonitor({
    db,
    schema,
    registry,
    presence,
    undecided,
    lanes: () => lanes.lanes,
    logger,
  })
  const hooks = commitHooks({
    schema,
    host,
    registry,
    parking,
    telemetry,
    deliverBestEffort: (events) => {
      bestEffort.deliver(events)
      monitor.handedOver(events)
    },
    wakeLanes,
    announceOwnTypes: async (moves) => {
      await announce(registry, registryLeaseMs, logger)
      await close(moves, db, schema, logger)
    },
  })
  const janitor = new OutboxJanitor({ ...options, db, schema })
  const metrics =
    options.metrics &&
    figures &&
    new ModuleMetrics(options.metrics, figures, {
      readCluster: async () => {
        await bestEffort.flush()
        // Before the counts: those of a job that has ended hold all it has sent.
        const jobs = await newestJobFigures(db, schema)
        return { counts: await readDeliveryCounts(db, schema), jobs }
      },
      destinations: () =>
        [...registry.destinations.values()].map(({ row }) => ({
          ...row,
          state: destinationState(registry, row.reference).status,
        })),
      lanes: () => lanes.lanes,
      sharedProducers: () => producers.size,
      registryAgeMs: () => registry.ageMs,
      logger,
    })
  return {
    db,
    inTransaction,
    jobReads,
    registry,
    presence,
    leasePool,
    producers,
    bestEffort,
    lanes,
    hooks,
    undecided,
    janitor,
    warnings: new DestinationWarnings(registry, logger, catalogue),
    monitor,
    telemetry,
    metrics,
    allowed,
    installation,
    transactionalIdOf,
  }
}

/** At most half of the connections: while they wait for the host, everything else goes on. */
function undecidedQueuesAtOnce({ options: { max } }: Pool): number {
  return Math.max(1, Math.min(4, Math.floor(max / 2)))
}

/** Waits until every node knows of a committed change: this one reads it now, the others within one lease. */
async function announce(registry: Registry, leaseMs: number, logger: Logger): Promise<void> {
  const leasePassed = new Promise((resolve) => setTimeout(resolve, leaseMs))
  await registry.refresh().catch((error: unknown) => {
    logger.warn({ err: error }, 'cannot refresh topics and destinations; will retry')
  })
  await leasePassed
}

/** Events are right meanwhile as well; the janitor does it later. */
async function close(
  moves: readonly number[],
  db: SqlTx,
  schema: OutboxSchema,
  logger: Logger,
): Promise<void> {
  await closeMoves(db, schema, moves).catch((error: unknown) => {
    logger.warn({ err: error }, 'cannot close the moves of destinations; will be done later')
  })
}
