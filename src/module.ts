import { Pool } from 'pg'
import { openPool, poolConfig } from './database-pool.ts'
import type { UndecidedEvents } from './delivery/undecided-queue.ts'
import { destinationOperations } from './destination-operations/destination-operations.ts'
import { TopicDestinationError } from './errors.ts'
import type { CommitHooks, FhirHost, FhirServerModule } from './host/types.ts'
import { Tracing } from './observability/tracing.ts'
import { resolveOptions, type ModuleOptions, type ResolvedOptions } from './options.ts'
import { migrateOutbox } from './outbox/migrations.ts'
import { readInstallation } from './outbox/restore.ts'
import { outboxSchema, type OutboxSchema } from './outbox/schema.ts'
import { loadSecretSource, type SecretSource } from './resources/secrets.ts'
import { DestinationPreflight } from './preflight/destination-preflight.ts'
import { preflightBeforeWrite } from './preflight/preflight-before-write.ts'
import type { DeliveryMonitor } from './monitor/delivery-monitor.ts'
import { preflightOperations } from './preflight/preflight-operation.ts'
import { subscriptionTopicType } from './resources/subscription-topic-type.ts'
import { topicDestinationType } from './resources/topic-destination-type.ts'
import { statusOperation } from './status/status-operation.ts'
import { stoppedError } from './stopped.ts'
import { catalogueOf, rightsDifferences, topologyOf, type Catalogue } from './topology/catalogue.ts'
import type { ResolvedTopology } from './topology/resolved-topology.ts'
import { dryRunOperations } from './topic-operations/dry-run-operation.ts'
import { explainOperations } from './topic-operations/explain-operation.ts'
import { wireParts, type Parts } from './module-parts.ts'

/** The module, and what an operator can do with it. */
export interface TopicDestinationModule extends FhirServerModule {
  /** Events whose criteria could not be decided. To be used between `start` and `stop`. */
  readonly undecided: UndecidedEvents
  /** How delivery goes, for a console. To be used between `start` and `stop`. */
  readonly monitor: DeliveryMonitor
}

/** Sends the changes of a FHIR server's resources to Kafka.
 *
 *  `register` it with the host before the host serves requests, then `start` it.
 *  @throws {@link TopicDestinationError} `KTD_INVALID_OPTION`; `KTD_SECRET` when the vault configuration cannot be read; `KTD_TOPOLOGY` when the topology cannot be used */
export function kafkaTopicDestination(options: ModuleOptions): TopicDestinationModule {
  return new KafkaTopicDestination(resolveOptions(options))
}

class KafkaTopicDestination implements TopicDestinationModule {
  readonly name = 'fhir-topic-destination-kafka'
  readonly #options: ResolvedOptions
  readonly #schema: OutboxSchema
  readonly #secrets: SecretSource
  readonly #pool: Pool
  readonly #topology: ResolvedTopology | undefined
  readonly #catalogue: Catalogue | undefined
  readonly #stopping = new AbortController()
  #parts: Parts | undefined
  #started: Promise<void> | undefined
  #stopped: Promise<void> | undefined

  constructor(options: ResolvedOptions) {
    this.#options = options
    this.#schema = outboxSchema(options.schema)
    this.#secrets = loadSecretSource(options.vaultConfigPath)
    this.#topology = options.topology && topologyOf(options.topology)
    this.#catalogue = this.#topology && catalogueOf(this.#topology)
    this.#pool = openPool(options.database, options.logger)
  }

  register(host: FhirHost): void {
    if (this.#parts)
      throw new TopicDestinationError('KTD_INVALID_OPTION', 'register() was called twice.')
    const parts = wireParts(host, {
      options: this.#options,
      schema: this.#schema,
      secrets: this.#secrets,
      pool: this.#pool,
      catalogue: this.#catalogue,
    })
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
      ...parts.allowed,
      secrets: this.#secrets,
      catalogue: this.#catalogue,
      plainSecrets,
      strictAidbox,
      sqlTransactions: host.capabilities.sqlTransactions,
    })
    const preflight = new DestinationPreflight({
      ...this.#options,
      ...parts.allowed,
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
      ...destinationOperations({
        ...parts,
        host,
        schema: this.#schema,
        options: this.#options,
        lookForJobs: () => {
          parts.lanes.lookForJobs()
        },
      }),
    ]) {
      host.registerOperation(operation)
      parts.monitor.registered(operation)
    }
    host.addCommitHooks(hooks)
  }

  get undecided(): UndecidedEvents {
    return this.#registered.undecided
  }

  get monitor(): DeliveryMonitor {
    return this.#registered.monitor
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
    const {
      db,
      registry,
      presence,
      bestEffort,
      lanes,
      undecided,
      janitor,
      warnings,
      monitor,
      installation,
      telemetry,
      metrics,
    } = this.#registered
    telemetry.tracing = await Tracing.load()
    this.#warnOfRights()
    await this.#migrate()
    installation.id = (await readInstallation(db, this.#schema)).installationId
    metrics?.attach()
    registry.onChange(() => {
      metrics?.update()
      bestEffort.reconcile(registry.destinations)
      void warnings.look()
    })
    await registry.start()
    warnings.start()
    bestEffort.start()
    await presence.start()
    lanes.start()
    undecided.start()
    janitor.start()
    monitor.start()
  }

  #warnOfRights(): void {
    const differences = this.#topology ? rightsDifferences(this.#topology, this.#options) : []
    for (const cause of differences) {
      this.#options.logger.warn({ cause }, 'the topology gives rights for other options')
    }
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
    this.#parts?.jobReads.abort()
    if (this.#parts && this.#started) {
      await this.#started.catch(() => undefined)
      const {
        registry,
        presence,
        leasePool,
        producers,
        bestEffort,
        lanes,
        undecided,
        janitor,
        warnings,
        monitor,
        metrics,
      } = this.#parts
      metrics?.detach()
      warnings.stop()
      monitor.stop()
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
