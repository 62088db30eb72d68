import { randomUUID } from 'node:crypto'
import { Pool } from 'pg'
import { openPool, poolConfig } from './database-pool.ts'
import { BestEffortDelivery } from './delivery/best-effort.ts'
import { commitHooks } from './delivery/commit-hooks.ts'
import { LaneSupervisor } from './delivery/lane-supervisor.ts'
import { Registry } from './delivery/registry.ts'
import { UndecidedParking } from './delivery/undecided-parking.ts'
import { UndecidedQueue, type UndecidedEvents } from './delivery/undecided-queue.ts'
import { TopicDestinationError } from './errors.ts'
import { fromPg } from './host/sql-tx.ts'
import type { CommitHooks, FhirHost, FhirServerModule, SqlTx } from './host/types.ts'
import { toProducerConfig } from './kafka/producer-config.ts'
import { ProducerPool } from './kafka/producer-pool.ts'
import { createPageProducer } from './kafka/rdkafka-page-producer.ts'
import { createTransactionalProducer } from './kafka/rdkafka-transactional-producer.ts'
import type { Logger } from './observability/logger.ts'
import { resolveOptions, type ModuleOptions, type ResolvedOptions } from './options.ts'
import { EventNotices } from './outbox/event-notices.ts'
import { OutboxJanitor } from './outbox/janitor.ts'
import { Leadership } from './outbox/leadership.ts'
import { migrateOutbox } from './outbox/migrations.ts'
import { NodeLease } from './outbox/node-lease.ts'
import type { NodePresence } from './outbox/node-presence.ts'
import { NodeSession } from './outbox/node-session.ts'
import { readInstallation } from './outbox/restore.ts'
import { closeMoves } from './outbox/sources.ts'
import { outboxSchema, type OutboxSchema } from './outbox/schema.ts'
import { loadSecretSource, type SecretSource } from './resources/secrets.ts'
import { DestinationPreflight } from './preflight/destination-preflight.ts'
import { preflightBeforeWrite } from './preflight/preflight-before-write.ts'
import { preflightOperations } from './preflight/preflight-operation.ts'
import { subscriptionTopicType } from './resources/subscription-topic-type.ts'
import { topicDestinationType } from './resources/topic-destination-type.ts'
import { statusOperation } from './status/status-operation.ts'
import { stoppedError, transactionsUntilEnded, untilEnded } from './stopped.ts'
import { dryRunOperations } from './topic-operations/dry-run-operation.ts'
import { explainOperations } from './topic-operations/explain-operation.ts'

/** The module, and what an operator can do with it. */
export interface TopicDestinationModule extends FhirServerModule {
  /** Events whose criteria could not be decided. To be used between `start` and `stop`. */
  readonly undecided: UndecidedEvents
}

/** Sends the changes of a FHIR server's resources to Kafka.
 *
 *  `register` it with the host before the host serves requests, then `start` it.
 *  @throws {@link TopicDestinationError} `KTD_INVALID_OPTION`; `KTD_SECRET` when the vault configuration cannot be read */
export function kafkaTopicDestination(options: ModuleOptions): TopicDestinationModule {
  return new KafkaTopicDestination(resolveOptions(options))
}

class KafkaTopicDestination implements TopicDestinationModule {
  readonly name = 'fhir-topic-destination-kafka'
  readonly #options: ResolvedOptions
  readonly #schema: OutboxSchema
  readonly #secrets: SecretSource
  readonly #pool: Pool
  readonly #stopping = new AbortController()
  #parts: Parts | undefined
  #started: Promise<void> | undefined
  #stopped: Promise<void> | undefined

  constructor(options: ResolvedOptions) {
    this.#options = options
    this.#schema = outboxSchema(options.schema)
    this.#secrets = loadSecretSource(options.vaultConfigPath)
    this.#pool = openPool(options.database, options.logger)
  }

  register(host: FhirHost): void {
    if (this.#parts)
      throw new TopicDestinationError('KTD_INVALID_OPTION', 'register() was called twice.')
    const parts = wireParts(host, this.#options, this.#schema, this.#secrets, this.#pool)
    const hooks: CommitHooks = {
      ...parts.hooks,
      beforeCommit: async (unit, tx) => {
        if (this.#stopped) throw stoppedError('A write came after stop().')
        await parts.hooks.beforeCommit(unit, tx)
      },
    }
    this.#parts = parts
    const { plainSecrets, strictAidbox, criteriaElementCheck, logger } = this.#options
    const destinationType = topicDestinationType({
      secrets: this.#secrets,
      plainSecrets,
      strictAidbox,
      sqlTransactions: host.capabilities.sqlTransactions,
    })
    const preflight = new DestinationPreflight({
      ...this.#options,
      secrets: this.#secrets,
      validate: (resource, previous) => destinationType.validate(resource, previous),
      transactionalIdOf: parts.transactionalIdOf,
      stopped: this.#stopping.signal,
    })
    const policy = this.#options.preflight
    host.registerResourceType(subscriptionTopicType({ criteriaElementCheck }))
    host.registerResourceType({
      ...destinationType,
      beforeWrite: preflightBeforeWrite({ host, preflight, policy, logger }),
    })
    host.registerOperation(
      statusOperation({
        host,
        db: parts.db,
        schema: this.#schema,
        registry: parts.registry,
        flushBestEffort: () => parts.bestEffort.flush(),
      }),
    )
    for (const operation of [
      ...preflightOperations({ host, preflight }),
      ...explainOperations(host),
      ...dryRunOperations({ host, limits: this.#options, stopped: this.#stopping.signal }),
    ]) {
      host.registerOperation(operation)
    }
    host.addCommitHooks(hooks)
  }

  get undecided(): UndecidedEvents {
    return this.#registered.undecided
  }

  get #registered(): Parts {
    if (this.#parts) return this.#parts
    throw new TopicDestinationError('KTD_NOT_REGISTERED', 'Call register(host) before start().')
  }

  start(): Promise<void> {
    this.#started ??= this.#start()
    return this.#started
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #start(): Promise<void> {
    const { db, registry, presence, bestEffort, lanes, undecided, janitor, installation } =
      this.#registered
    await this.#migrate()
    installation.id = (await readInstallation(db, this.#schema)).installationId
    registry.onChange(() => {
      bestEffort.reconcile(registry.destinations)
    })
    await registry.start()
    bestEffort.start()
    await presence.start()
    lanes.start()
    undecided.start()
    janitor.start()
  }

  /** On a connection without a time limit: a migration may rewrite a table. */
  async #migrate(): Promise<void> {
    const pool = new Pool({ ...poolConfig(this.#options.database), max: 1 })
    try {
      await migrateOutbox(pool, this.#schema)
    } finally {
      await pool.end()
    }
  }

  async #stop(): Promise<void> {
    const { stopTimeoutMs } = this.#options
    this.#stopping.abort()
    if (this.#parts && this.#started) {
      await this.#started.catch(() => undefined)
      const { registry, presence, leasePool, producers, bestEffort, lanes, undecided, janitor } =
        this.#parts
      await undecided.stop()
      await registry.stop()
      await janitor.stop()
      await Promise.all([lanes.stop(), bestEffort.stop(stopTimeoutMs)])
      await producers.close(0)
      await presence.stop()
      await leasePool?.end()
    }
    await this.#pool.end()
  }
}

/** A renewal must come in time or fail in time; an election may be under way at the same time. */
const leasePoolLimits = { max: 2, query_timeout: 5000, connectionTimeoutMillis: 5000 }

/** What one loaded module consists of. */
interface Parts {
  readonly db: SqlTx
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
  /** Known once the outbox is migrated; lanes begin after that. */
  readonly installation: { id: string }
  /** Transactional id and checkpoint group of the destination with an id. */
  readonly transactionalIdOf: (id: string) => string
}

function wireParts(
  host: FhirHost,
  options: ResolvedOptions,
  schema: OutboxSchema,
  secrets: SecretSource,
  pool: Pool,
): Parts {
  const { logger, registryLeaseMs, baseUrl, cloudEventsHeaders, transactionalIdPrefix } = options
  const db = untilEnded(pool)
  const installation = { id: '' }
  const transactionalIdOf = (id: string): string =>
    `${transactionalIdPrefix}-${installation.id}-${id}`
  const registry = new Registry({ db, schema, host, secrets, leaseMs: registryLeaseMs, logger })
  const leasePool =
    options.leadership === 'lease' ? openPool(options.database, logger, leasePoolLimits) : undefined
  const presence = leasePool
    ? new NodeLease(fromPg(leasePool), schema, logger)
    : new NodeSession(poolConfig(options.database), schema, logger)
  const producers = new ProducerPool()
  const bestEffort = new BestEffortDelivery({
    db,
    schema,
    nodeId: randomUUID(),
    pool: producers,
    baseUrl,
    cloudEventsHeaders,
    logger,
  })
  const lanes = new LaneSupervisor({
    ...options,
    db,
    schema,
    registry,
    presence,
    leadership: new Leadership(presence, schema),
    notices: new EventNotices(db, schema, logger),
    createProducer: ({ id, parameters, kafkaTopic }, onError) => {
      const name = transactionalIdOf(id)
      if (!options.transactional) {
        return createPageProducer(toProducerConfig(parameters, 'at-least-once'), logger, {
          onError,
        })
      }
      const config = toProducerConfig(parameters, 'at-least-once', name)
      const { checkpointTopic } = options
      const checkpoint = {
        group: name,
        kafkaTopic: checkpointTopic ?? kafkaTopic,
        isOwnTopic: checkpointTopic !== undefined,
      }
      return createTransactionalProducer(config, logger, { onError, checkpoint })
    },
  })
  const parking = new UndecidedParking({ ...options, db, schema })
  const wakeLanes = (topicIds: ReadonlySet<number>): void => {
    lanes.wake(topicIds)
  }
  const undecided = new UndecidedQueue({
    db,
    inTransaction: transactionsUntilEnded(pool),
    schema,
    host,
    registry,
    parking,
    wakeLanes,
    logger,
  })
  const hooks = commitHooks({
    schema,
    host,
    registry,
    parking,
    deliverBestEffort: (events) => {
      bestEffort.deliver(events)
    },
    wakeLanes,
    announceOwnTypes: async (moves) => {
      await announce(registry, registryLeaseMs, logger)
      await close(moves, db, schema, logger)
    },
  })
  const janitor = new OutboxJanitor({ db, schema, logger })
  return {
    db,
    registry,
    presence,
    leasePool,
    producers,
    bestEffort,
    lanes,
    hooks,
    undecided,
    janitor,
    installation,
    transactionalIdOf,
  }
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
