import type { IncomingMessage } from 'node:http'
import type { Database } from '../database-pool.ts'
import { TopicDestinationError } from '../errors.ts'
import type { ExpressHostOptions, HttpRequest } from '../http/express.ts'
import { silentLogger, type Logger } from '../observability/logger.ts'
import { moduleLogger } from '../observability/module-logger.ts'
import { checkRanges } from '../option-checks.ts'
import { destinationTypeName, topicTypeName } from '../resources/type-names.ts'
import { outboxSchema } from '../outbox/schema.ts'
import { resourceTypeNames } from '../triggers/element-model.ts'
import { resolveLayout, type TableLayout } from './table-layout.ts'
import type { CapturePlan } from './watched-tables.ts'

/** What is captured, and where it waits. */
export interface CaptureOptions {
  /** The server's tables. Default: Medplum's. */
  readonly tables?: TableLayout
  /** Types that are captured, of those that have a table. Fewer types, fewer writes that pay for a trigger.
   *  Default: the resource types of FHIR R4, not those that a server has added for itself, such as its users. */
  readonly resourceTypes?: readonly string[]
  /** PostgreSQL schema of the captured changes, not the module's `schema`. Also the name of the triggers.
   *  @default 'topic_destination_capture' */
  readonly captureSchema?: string
}

/** @throws TopicDestinationError `KTD_INVALID_OPTION` */
export function capturePlan(options: CaptureOptions): CapturePlan {
  const { tables, resourceTypes = resourceTypeNames() } = options
  return {
    schema: outboxSchema(options.captureSchema ?? 'topic_destination_capture'),
    layout: resolveLayout(tables),
    // The module's own types come from where it keeps them itself.
    resourceTypes: resourceTypes
      .filter((type) => type !== topicTypeName && type !== destinationTypeName)
      .toSorted(),
  }
}

/** What {@link historyTablesHost} takes. `database` and `baseUrl` are required. */
export interface HistoryTablesOptions<Request extends IncomingMessage = HttpRequest>
  extends CaptureOptions, Omit<ExpressHostOptions<Request>, 'pool' | 'read' | 'sqlTransactions'> {
  /** The FHIR server's PostgreSQL database: connection string or pg configuration. The module gets the same. */
  readonly database: Database
  /** Whether `start()` makes and repairs the triggers. With `false` an administrator does, with `historyTriggersSql`.
   *  @default true */
  readonly installsTriggers?: boolean
  /** Most changes in one transaction of the relay.
   *  @default 500  Minimum 1, maximum 100000. */
  readonly maxPageChanges?: number
  /** Longest time until a change is noticed, in milliseconds.
   *  @default 100  Minimum 10, maximum 60000. */
  readonly pollIntervalMs?: number
}

export interface ResolvedHistoryTablesOptions {
  readonly plan: CapturePlan
  readonly database: Database
  readonly logger: Logger
  readonly installsTriggers: boolean
  readonly maxPageChanges: number
  readonly pollIntervalMs: number
}

const ranges = { maxPageChanges: [1, 100_000], pollIntervalMs: [10, 60_000] } as const

/** Fills in the defaults.
 *  @throws TopicDestinationError `KTD_INVALID_OPTION` naming the option */
export function resolveOptions(options: HistoryTablesOptions<never>): ResolvedHistoryTablesOptions {
  const { database, installsTriggers = true, maxPageChanges = 500, pollIntervalMs = 100 } = options
  const plan = capturePlan(options)
  if (plan.schema.name === outboxSchema(options.schema).name) {
    throw new TopicDestinationError(
      'KTD_INVALID_OPTION',
      'captureSchema must not be the schema of the module: both have tables of the same names.',
    )
  }
  const numbers = { maxPageChanges, pollIntervalMs }
  checkRanges(numbers, ranges)
  const logger = moduleLogger(options.logger ?? silentLogger)
  return { plan, database, logger, installsTriggers, ...numbers }
}
