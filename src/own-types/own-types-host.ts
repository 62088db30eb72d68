import type { IncomingHttpHeaders } from 'node:http'
import { allOk } from '@medplum/core'
import type { OperationOutcome } from '@medplum/fhirtypes'
import type { Pool } from 'pg'
import { TopicDestinationError } from '../errors.ts'
import { fromPg } from '../host/sql-tx.ts'
import type {
  CommitHooks,
  FhirHost,
  FhirResource,
  HostHistory,
  Operation,
  Principal,
  ResourceTypeDefinition,
  SqlTx,
} from '../host/types.ts'
import { UnitOfWork } from '../host/unit-of-work.ts'
import { silentLogger, type Logger } from '../observability/logger.ts'
import { moduleLogger } from '../observability/module-logger.ts'
import { migrateOutbox } from '../outbox/migrations.ts'
import { outboxSchema, type OutboxSchema } from '../outbox/schema.ts'
import { answerOf, answerOfOutcome, type Answer } from '../rest/answer.ts'
import { isRetryable } from '../rest/database-errors.ts'
import { indexResourceType } from '../rest/index-resource-type.ts'
import { unavailable } from '../rest/outcomes.ts'
import { isJsonType } from '../rest/request-body.ts'
import { parseTarget } from '../rest/request-url.ts'
import { toRestRequest, type RequestBody } from '../rest/rest-request.ts'
import type { RestRequest, RoutedResponse } from '../rest/routing.ts'
import { StoredVersions } from '../rest/storage/stored-versions.ts'
import { toldOutcome } from '../rest/told-outcome.ts'
import { answerOwnBundle, isOwnBundle } from './own-bundle.ts'
import { OwnTypeSearch } from './own-type-search.ts'
import { OwnTypesStore } from './own-types-store.ts'
import { pgTransactions } from './pg-transactions.ts'
import { routeOwnTypes, type RouteContext } from './routes.ts'

export interface OwnTypesHostOptions {
  /** The host's pool, on the database that the module is given as `database`. The host closes it. */
  readonly pool: Pool
  /** Base URL under which clients reach the FHIR server: `https://fhir.example.org/fhir`. The module gets the same. */
  readonly baseUrl: string
  /** PostgreSQL schema of the module, its option `schema`.
   *  @default 'topic_destination' */
  readonly schema?: string
  /** Current resources of the host's own types by relative reference (`Patient/123`), as stored; with `tx`, as that open transaction
   *  sees them. Needed for `resolve()` in criteria only. Default: nothing is found. */
  readonly read?: FhirHost['read']
  /** References of current resources of the host's own types, for `$backfill`. Default: it answers `not-supported`. */
  readonly references?: FhirHost['references']
  /** Stored versions of the host's own types, for `$explain` and `$dry-run` of topics. Default: there are none. */
  readonly history?: HostHistory
  /** Called before each interaction with the module's two types (`create`, `read`, …) and each operation (`status`); `reference` is
   *  `Type/id` or `Type`. Throws an `OperationOutcomeError` of 401 or 403. Default: what reaches the handler may do anything. */
  readonly authorize?: FhirHost['authorize']
  /** Whether the host commits its own writes in SQL transactions. Without, only best-effort destinations can be created.
   *  @default true */
  readonly sqlTransactions?: boolean
  /** Where unexpected failures of requests go.
   *  @default silent */
  readonly logger?: Logger
}

/** An open transaction of the host, with the unit of work that the host commits it by. */
export interface HostTransaction {
  readonly tx: SqlTx
  readonly unit: UnitOfWork
}

/** Where a request comes from. */
export interface RequestOrigin {
  readonly principal?: Principal | undefined
  /** Base URL on the host that the client used, for links of a searchset. Default: `baseUrl`. */
  readonly clientBaseUrl?: string | undefined
  /** To write in. Default: each write commits for itself. */
  readonly transaction?: HostTransaction | undefined
}

/** A request below the base URL, as any HTTP server has it. */
export interface OwnTypesRequest extends RequestOrigin {
  readonly method: string
  /** Path and query behind the base URL, as the client encoded them: `/AidboxTopicDestination/a/$status?_format=json`. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  /** Called when the body is needed, at most once. */
  readonly readBody: () => Promise<RequestBody | undefined>
}

/** The module's host where the FHIR server cannot store new resource types: keeps AidboxSubscriptionTopic and AidboxTopicDestination
 *  in the module's own schema and serves them, whatever the HTTP framework is.
 *
 *  The server goes on serving its own types. It gives each of its transactions a `unitOfWork()`, and everything that `handle` answers
 *  `undefined` to is its own to answer. */
export class OwnTypesHost implements FhirHost {
  readonly capabilities: FhirHost['capabilities']
  readonly history?: HostHistory
  readonly references?: NonNullable<FhirHost['references']>
  readonly #options: OwnTypesHostOptions
  readonly #logger: Logger
  readonly #baseUrl: string
  readonly #schema: OutboxSchema
  readonly #versions: StoredVersions
  readonly #types = new Map<string, ResourceTypeDefinition>()
  readonly #searches = new Map<string, OwnTypeSearch>()
  readonly #operations: Operation[] = []
  readonly #hooks: CommitHooks[] = []

  /** @throws TopicDestinationError `KTD_INVALID_OPTION` */
  constructor(options: OwnTypesHostOptions) {
    if (!URL.canParse(options.baseUrl)) {
      throw new TopicDestinationError('KTD_INVALID_OPTION', 'baseUrl must be an absolute URL.')
    }
    this.#options = options
    if (options.history) this.history = options.history
    if (options.references) this.references = options.references
    this.#schema = outboxSchema(options.schema)
    this.#logger = moduleLogger(options.logger ?? silentLogger)
    this.#baseUrl = options.baseUrl.replace(/\/+$/, '')
    const { ownResource, ownResourceHistory } = this.#schema
    this.#versions = new StoredVersions({ current: ownResource, history: ownResourceHistory })
    this.capabilities = {
      sqlTransactions: options.sqlTransactions ?? true,
      customResourceTypes: true,
    }
  }

  registerResourceType(definition: ResourceTypeDefinition): void {
    indexResourceType(definition)
    const { type } = definition.definition
    this.#types.set(type, definition)
    this.#searches.set(type, new OwnTypeSearch(this.#versions.tables.current, definition))
  }

  registerOperation(operation: Operation): void {
    this.#operations.push(operation)
  }

  addCommitHooks(hooks: CommitHooks): void {
    this.#hooks.push(hooks)
  }

  /** One for each attempt of a transaction of the host: `record` what it writes, then `beforeCommit(fromPg(client))`, COMMIT, and
   *  `afterCommit`, or `afterRollback`. */
  unitOfWork(): UnitOfWork {
    return new UnitOfWork(this.#hooks)
  }

  /** Makes the tables where there are none: every module asks at its start, and only ours has made them by then. Requests never do. */
  async list(resourceType: string): Promise<FhirResource[]> {
    const { pool } = this.#options
    try {
      return await this.#versions.list(fromPg(pool), resourceType)
    } catch (error) {
      if (!isUndefinedTable(error)) throw error
      await migrateOutbox(pool, this.#schema)
      return this.#versions.list(fromPg(pool), resourceType)
    }
  }

  async read(
    references: readonly string[],
    tx?: SqlTx,
  ): Promise<ReadonlyMap<string, FhirResource>> {
    const isOwn = (reference: string) => this.#types.has(reference.split('/', 1)[0] ?? '')
    const own = references.filter(isOwn)
    const others = references.filter((reference) => !isOwn(reference))
    const { pool, read } = this.#options
    const found = await this.#versions.read(tx ?? fromPg(pool), own)
    if (others.length === 0 || !read) return found
    return new Map([...found, ...(await read(others, tx))])
  }

  async authorize(
    principal: Principal | undefined,
    action: string,
    reference: string,
  ): Promise<void> {
    await this.#options.authorize?.(principal, action, reference)
  }

  /** Answers a request for one of the module's types, or a batch or transaction of nothing else. Never rejects because of what a
   *  client sent.
   *  @returns undefined for what is the host's own to answer
   *  @throws Error of SQLSTATE 40001 or 40P01 when the given transaction has lost a race: the host repeats it */
  async handle(request: OwnTypesRequest): Promise<Answer | undefined> {
    const type = firstSegment(request.url)
    const isOwnType = type !== undefined && this.#types.has(type)
    if (!isOwnType && (type !== undefined || !mayBeBundle(request))) return undefined
    try {
      const body = await request.readBody()
      if (!isOwnType && !this.#isOwnBundle(body)) return undefined
      const routed = await this.route(
        toRestRequest(request, parseTarget(request.url), body),
        request,
      )
      const answer = answerOf(routed.response, routed.interaction, request.headers, this.#baseUrl)
      const { allow } = routed
      return allow ? { ...answer, headers: { ...answer.headers, allow: allow.join(', ') } } : answer
    } catch (error) {
      if (request.transaction && isRetryable(error)) throw error
      return answerOfOutcome(this.outcomeOf(error))
    }
  }

  /** As `handle`, for servers that have routes of their own for the module's types.
   *  @throws OperationOutcomeError; as `handle` */
  async route(
    request: RestRequest,
    { principal, clientBaseUrl = this.#baseUrl, transaction }: RequestOrigin,
  ): Promise<RoutedResponse> {
    const context: RouteContext = {
      types: this.#types,
      operations: this.#operations,
      store: this.#store(clientBaseUrl, transaction),
      isWithinTransaction: transaction !== undefined,
      principal,
      ...(this.#options.authorize ? { authorize: this.#options.authorize } : {}),
    }
    if (request.segments.length > 0) return routeOwnTypes(request, context)
    const bundle = await answerOwnBundle(request, context, {
      basePath: this.#basePath,
      onFailure: (error) => {
        this.outcomeOf(error)
      },
    })
    return { response: [allOk, bundle], interaction: 'batch' }
  }

  #store(clientBaseUrl: string, transaction: HostTransaction | undefined): OwnTypesStore {
    const attempt = { isSerializable: true, needsSerializable: false }
    return new OwnTypesStore(
      {
        db: fromPg(this.#options.pool),
        begin: pgTransactions(this.#options.pool),
        hooks: this.#hooks,
        types: this.#types,
        versions: this.#versions,
        caller: { clientBaseUrl },
        searches: this.#searches,
      },
      transaction && { ...transaction, attempt },
    )
  }

  #isOwnBundle(body: RequestBody | undefined): boolean {
    return body !== undefined && isOwnBundle(body, this.#types, this.#basePath)
  }

  get #basePath(): string {
    return new URL(this.#baseUrl).pathname.replace(/^\/+/, '')
  }

  /** What a client is told about an error; what nobody foresaw is logged. */
  protected outcomeOf(error: unknown): OperationOutcome {
    if (isUndefinedTable(error)) return unavailable('The module is not started yet.')
    return toldOutcome(error, this.#logger)
  }
}

/** Type or operation that a URL is about; undefined for the base itself. What is no valid encoding is no type of ours. */
function firstSegment(url: string): string | undefined {
  const [path = ''] = url.split('?', 1)
  const segment = path.split('/').find(Boolean)
  try {
    return segment === undefined ? undefined : decodeURIComponent(segment)
  } catch {
    return segment
  }
}

function mayBeBundle({ method, headers }: OwnTypesRequest): boolean {
  return method === 'POST' && isJsonType(headers['content-type'])
}

/** SQLSTATE 42P01: the tables come with `start()` of a module. */
function isUndefinedTable(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '42P01'
}
