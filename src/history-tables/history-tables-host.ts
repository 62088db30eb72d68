import type { IncomingMessage } from 'node:http'
import { OperationOutcomeError } from '@medplum/core'
import type { Pool } from 'pg'
import { openPool } from '../database-pool.ts'
import { isOwnType } from '../delivery/own-types.ts'
import type { CommitHooks, FhirServerModule } from '../host/types.ts'
import { ExpressHost, type HttpRequest } from '../http/express.ts'
import type { Logger } from '../observability/logger.ts'
import { readDeliveryStatus } from '../outbox/counters.ts'
import { fromPg } from '../host/sql-tx.ts'
import { unavailable } from '../rest/outcomes.ts'
import { CaptureRelay } from './capture-relay.ts'
import { relayReference } from './capture-sql.ts'
import { CurrentResources } from './current-resources.ts'
import { installTriggers, prepareCapture } from './install-triggers.ts'
import { resolveOptions, type HistoryTablesOptions } from './options.ts'
import type { CapturePlan } from './watched-tables.ts'

/** How the captured changes get on, over all nodes and restarts. */
export interface CaptureStatus {
  /** Committed and not matched yet. */
  readonly queued: number
  /** Matched since the triggers were made. */
  readonly relayed: number
  /** Kept in `dead_letter` of the capture schema, because what the server has stored is not JSON. */
  readonly setAside: number
}

const maxPageBytes = 8 * 1024 * 1024
/** How often tables are looked for that came with a migration of the server. */
const reinstallMs = 60_000
const catchUpMs = 10_000

/** The module's host beside a FHIR server that knows nothing of it: triggers on the server's history tables capture its changes, a relay
 *  hands them to the module, and `router` serves the module's two types. */
export class HistoryTablesHost<Request extends IncomingMessage = HttpRequest>
  extends ExpressHost<Request>
  implements AsyncDisposable
{
  readonly #plan: CapturePlan
  readonly #pool: Pool
  readonly #relayPool: Pool
  readonly #relay: CaptureRelay
  readonly #logger: Logger
  readonly #installsTriggers: boolean
  readonly #modules: FhirServerModule[] = []
  #timer: NodeJS.Timeout | undefined
  #installing: Promise<void> = Promise.resolve()
  #started: Promise<void> | undefined
  #stopped: Promise<void> | undefined

  constructor(options: HistoryTablesOptions<Request>) {
    const { plan, database, logger, installsTriggers, maxPageChanges, pollIntervalMs } =
      resolveOptions(options)
    const resources = new CurrentResources(plan.layout)
    const pool = openPool(database, logger)
    super({
      ...options,
      pool,
      read: (references, tx = fromPg(pool)) => resources.read(tx, references),
      references: (query) => resources.references(fromPg(pool), query),
    })
    this.#plan = plan
    this.#pool = pool
    this.#relayPool = openPool(database, logger)
    this.#logger = logger
    this.#installsTriggers = installsTriggers
    this.#relay = new CaptureRelay({
      database,
      pool: this.#relayPool,
      schema: plan.schema,
      unitOfWork: () => this.unitOfWork(),
      maxPageChanges,
      maxPageBytes,
      pollIntervalMs,
      logger,
    })
    this.addCommitHooks(this.#afterEarlierChanges())
  }

  /** Registers a module; `start` starts it and `stop` stops it. */
  load(module: FhirServerModule): void {
    if (this.#started) throw new Error(`${module.name} must be loaded before start().`)
    module.register(this)
    this.#modules.push(module)
  }

  /** Starts the modules, makes the triggers, and relays. Every write that begins afterwards is captured. Idempotent. */
  start(): Promise<void> {
    this.#started ??= this.#start()
    return this.#started
  }

  /** Ends the relay after its page, then stops the modules. Triggers go on capturing. Idempotent. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** How many changes wait, and what became of the others. */
  async captureStatus(): Promise<CaptureStatus> {
    const status = await readDeliveryStatus(
      fromPg(this.#relayPool),
      this.#plan.schema,
      relayReference,
    )
    const { queued = 0, delivered: relayed = 0, dead: setAside = 0 } = status ?? {}
    return { queued, relayed, setAside }
  }

  async #start(): Promise<void> {
    for (const module of this.#modules) await module.start()
    await prepareCapture(this.#pool, this.#plan)
    if (this.#installsTriggers) {
      await this.#install()
      this.#timer = setInterval(() => {
        this.#installing = this.#install().catch((error: unknown) => {
          this.#logger.error({ err: error }, 'history tables may be without triggers; will retry')
        })
      }, reinstallMs)
      this.#timer.unref()
    }
    await this.#relay.start()
  }

  async #install(): Promise<void> {
    const tables = await installTriggers(this.#pool, this.#plan)
    if (tables.length > 0) this.#logger.info({ tables }, 'history tables were given triggers')
  }

  async #stop(): Promise<void> {
    clearInterval(this.#timer)
    if (this.#started) {
      await this.#started.catch(() => undefined)
      await this.#installing
      await this.#relay.stop()
    }
    for (const module of this.#modules) await module.stop()
    await Promise.all([this.#pool.end(), this.#relayPool.end()])
  }

  /** A topic or destination is written after everything that was committed before it has been matched without it. */
  #afterEarlierChanges(): CommitHooks {
    return {
      beforeCommit: async ({ changes }) => {
        if (!changes.some(({ resourceType }) => isOwnType(resourceType))) return
        if (!(await this.#relay.caughtUp(catchUpMs))) throw behind()
      },
      afterCommit: () => Promise.resolve(),
      afterRollback: () => undefined,
    }
  }
}

function behind(): OperationOutcomeError {
  const text =
    'Changes that the server has committed before are still being matched against the topics and destinations as they were; try again.'
  return new OperationOutcomeError(unavailable(text))
}

/** A host for a FHIR server on PostgreSQL that keeps every version in history tables, as Medplum does.
 *  @throws TopicDestinationError `KTD_INVALID_OPTION` */
export function historyTablesHost<Request extends IncomingMessage = HttpRequest>(
  options: HistoryTablesOptions<Request>,
): HistoryTablesHost<Request> {
  return new HistoryTablesHost(options)
}
