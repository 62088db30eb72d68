import type { FhirRepository, FhirRouter } from '@medplum/fhir-router'
import type { CapabilityStatement } from '@medplum/fhirtypes'
import knex, { type Knex } from 'knex'
import { TopicDestinationError } from '../errors.ts'
import type { FhirServerModule } from '../host/types.ts'
import {
  consoleRouter,
  type ConsoleFhirRequest,
  type ConsoleOptions,
  type ConsoleRouter,
} from '../console/index.ts'
import type { TopicDestinationModule } from '../module.ts'
import { answerOf, answerOfOutcome, type Answer } from '../rest/answer.ts'
import { parseTarget } from '../rest/request-url.ts'
import { toRestRequest } from '../rest/rest-request.ts'
import type { Caller, RestRequest, RoutedResponse } from '../rest/routing.ts'
import { toldOutcome } from '../rest/told-outcome.ts'
import { silentLogger, type Logger } from '../observability/logger.ts'
import { moduleLogger } from '../observability/module-logger.ts'
import { topologyOf } from '../topology/catalogue.ts'
import { HealthProbe } from '../topology/health/health-probe.ts'
import { readTopology } from '../topology/read-topology.ts'
import { createApp } from './http/app.ts'
import { assertMayListen, Authenticator } from './http/auth.ts'
import { capabilityStatement } from './http/capability-statement.ts'
import { ServerConsole } from './http/console.ts'
import { HttpListener } from './http/http-listener.ts'
import { KnexRepository, type RepositoryContext } from './storage/knex-repository.ts'
import { checkedInteger, checkedText, readServerSettings } from './options.ts'
import { ReferenceHost } from './reference-host.ts'
import { basePath } from './http/base-path.ts'
import { createRouter, dispatch, toFhirRequest } from './http/routes.ts'
import { ServedResourceTypes } from './http/served-types.ts'
import { migrateServer } from './storage/schema.ts'
import { supportedSearchParameters } from './search/supported.ts'
import { ServerProbes } from './probes/server-probes.ts'
import type { ReferenceServer, ServerOptions, ServerTopology } from './server-options.ts'
import { loadR4Definitions } from './storage/validation.ts'

export type { ReferenceServer, ServerOptions } from './server-options.ts'

const defaults = readServerSettings({})

/** Binds the address and prepares a FHIR R4 server; `listen()` opens it.
 *  @throws TopicDestinationError `KTD_INVALID_OPTION`, `KTD_TOPOLOGY`; the system's error when the address cannot be bound */
export async function createServer(options: ServerOptions): Promise<ReferenceServer> {
  const authenticator = new Authenticator(options)
  const host = options.host ?? defaults.host
  assertMayListen(host, authenticator)
  const port = checkedInteger('port', options.port ?? 0)
  if (options.baseUrl !== undefined && !URL.canParse(options.baseUrl)) {
    throw new TopicDestinationError('KTD_INVALID_OPTION', 'baseUrl must be an absolute URL.')
  }
  // The routes are made of the types of R4, and these are read from the definitions.
  await loadR4Definitions()
  const database = knex(knexConfig(options))
  const server = new Server(options, authenticator, database)
  try {
    await server.bind(host, port)
    for (const module of options.modules ?? []) server.load(module)
    return server
  } catch (error) {
    await server.close(0)
    throw error
  }
}

class Server implements ReferenceServer {
  readonly host: ReferenceHost
  readonly #options: ServerOptions
  readonly #logger: Logger
  readonly #authenticator: Authenticator
  readonly #database: Knex
  readonly #context: RepositoryContext
  readonly #types: ServedResourceTypes
  readonly #router: FhirRouter
  readonly #modules: FhirServerModule[] = []
  readonly #callers = new WeakMap<FhirRepository, Caller>()
  readonly #createdAt = new Date()
  readonly #topologyHealth: HealthProbe | undefined
  readonly #probes: ServerProbes
  #listener: HttpListener | undefined
  #console: ConsoleRouter | undefined
  #capabilities: CapabilityStatement | undefined
  #opened: Promise<string> | undefined
  #closed: Promise<void> | undefined
  #isOpen = false

  constructor(options: ServerOptions, authenticator: Authenticator, database: Knex) {
    this.#options = options
    this.#logger = moduleLogger(options.logger ?? silentLogger)
    this.#authenticator = authenticator
    this.#database = database
    this.#context = { knex: database, hooks: [], types: new Map() }
    this.#types = new ServedResourceTypes(this.#context.types)
    this.#router = createRouter(
      this.#types,
      () => this.host.operations,
      (error) => {
        this.#logger.error({ err: error }, 'an entry of a batch failed unexpectedly')
      },
    )
    this.host = new ReferenceHost({
      context: this.#context,
      router: this.#router,
      authenticator,
      principalOf: (repository) => this.#callers.get(repository)?.principal,
    })
    this.#topologyHealth = options.topology && healthProbe(options.topology)
    this.#probes = new ServerProbes({
      database,
      isOpen: () => this.#isOpen,
      topology: this.#topologyHealth,
    })
  }

  get url(): string {
    if (this.#options.baseUrl !== undefined) return this.#options.baseUrl.replace(/\/+$/, '')
    if (!this.#listener) throw new Error('The address is not bound yet.')
    return `${this.#listener.origin}/${basePath}`
  }

  async bind(host: string, port: number): Promise<void> {
    const app = createApp({
      bodyLimitBytes: checkedInteger(
        'bodyLimitBytes',
        this.#options.bodyLimitBytes ?? defaults.bodyLimitBytes,
      ),
      correlationHeader: this.#options.correlationHeader ?? defaults.correlationHeader,
      trustedProxies: checkedText(
        'trustedProxies',
        this.#options.trustedProxies ?? defaults.trustedProxies,
      ),
      authenticator: this.#authenticator,
      metrics: this.#options.metrics,
      scrapers: new Authenticator({ authToken: this.#options.metricsToken }),
      probes: this.#probes,
      logger: this.#logger,
      baseUrl: () => this.url,
      isOpen: () => this.#isOpen,
      capabilityStatement: () => this.#capabilityStatement(),
      console: () => this.#console,
      route: async (request, caller) => this.#route(request, caller),
    })
    this.#listener = await HttpListener.bind(app, host, port)
  }

  load(module: FhirServerModule): void {
    if (this.#opened) throw new Error(`${module.name} must be loaded before listen().`)
    module.register(this.host)
    this.#modules.push(module)
  }

  serveConsole(
    module: Pick<TopicDestinationModule, 'monitor'>,
    options: Pick<ConsoleOptions, 'health' | 'topology'> = {},
  ): void {
    if (this.#opened) throw new Error('The console must be set up before listen().')
    const baseUrl = (): string => this.url
    const access = new ServerConsole({
      ...this.#options,
      authenticator: this.#authenticator,
      baseUrl,
    })
    const probe = this.#topologyHealth
    const { topology } = this.#options
    this.#console = consoleRouter({
      ...(probe && { health: () => probe.check() }),
      ...(topology && { topology: topologyOf(topology) }),
      ...options,
      module,
      // Not this server's: the console completes lines by itself, and of an error it would find what is left for a log.
      logger: this.#options.logger ?? silentLogger,
      authorize: (request) => access.authorize(request),
      ...(this.#authenticator.isRequired ? { signIn: access } : {}),
      fhir: async (request) => this.#answerConsole(request),
    })
  }

  listen(): Promise<string> {
    this.#opened ??= this.#open()
    return this.#opened
  }

  close(timeoutMs = defaults.stopTimeoutMs): Promise<void> {
    this.#closed ??= this.#close(timeoutMs)
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #open(): Promise<string> {
    if (this.#closed) throw new Error('The server is closed.')
    await migrateServer(this.#database)
    for (const module of this.#modules) await module.start()
    this.#isOpen = true
    return this.url
  }

  /** In the order that loses nothing: requests end first, then the modules that send what they caused, then the pool. */
  async #close(timeoutMs: number): Promise<void> {
    await this.#opened?.catch(() => undefined)
    this.#console?.close()
    await this.#listener?.close(timeoutMs)
    this.#isOpen = false
    await this.#probes.close()
    const stops = await Promise.allSettled(this.#modules.map(async (module) => module.stop()))
    await this.#database.destroy()
    const failures = stops.flatMap((stop) =>
      stop.status === 'rejected' ? [stop.reason as unknown] : [],
    )
    if (failures.length > 0) throw new AggregateError(failures, 'A module did not stop.')
  }

  async #route(request: RestRequest, caller: Caller): Promise<RoutedResponse> {
    const repository = new KnexRepository(this.#context, caller)
    this.#callers.set(repository, caller)
    return dispatch(this.#router, this.#types, toFhirRequest(request), repository)
  }

  /** As if the request of the console had come from its caller. */
  async #answerConsole(request: ConsoleFhirRequest): Promise<Answer> {
    const { url, headers, principal } = request
    try {
      const restRequest = toRestRequest(request, parseTarget(url), await request.readBody())
      const caller = { clientBaseUrl: this.url, ...(principal ? { principal } : {}) }
      const { response, interaction } = await this.#route(restRequest, caller)
      return answerOf(response, interaction, headers, this.url)
    } catch (error) {
      return answerOfOutcome(toldOutcome(error, this.#logger))
    }
  }

  #capabilityStatement(): CapabilityStatement {
    this.#capabilities ??= capabilityStatement({
      baseUrl: this.url,
      resourceTypes: this.#types.names(),
      registered: this.#context.types,
      operations: this.host.operations,
      searchParameters: supportedSearchParameters,
      isAuthenticationRequired: this.#authenticator.isRequired,
      date: this.#createdAt,
    })
    return this.#capabilities
  }
}

function healthProbe({ file, ...options }: ServerTopology): HealthProbe {
  return new HealthProbe(readTopology(file), options)
}

function knexConfig({ databaseUrl, knex: config, databasePoolSize }: ServerOptions): Knex.Config {
  if (config) return config
  if (databaseUrl === undefined) {
    throw new TopicDestinationError('KTD_INVALID_OPTION', 'createServer needs databaseUrl or knex.')
  }
  const max = checkedInteger('databasePoolSize', databasePoolSize ?? defaults.databasePoolSize)
  return {
    client: 'pg',
    connection: {
      connectionString: databaseUrl,
      application_name: 'fhir-reference-server',
      connectionTimeoutMillis: 5000,
      statement_timeout: 60_000,
      keepAlive: true,
    },
    pool: { min: 0, max },
    acquireConnectionTimeout: 10_000,
    // Errors reach who asked; knex would print them on standard error as well.
    log: { warn: ignore, error: ignore, debug: ignore, deprecate: ignore },
  }
}

function ignore(): void {
  // Nothing to tell.
}
