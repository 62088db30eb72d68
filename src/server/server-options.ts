import type { Knex } from 'knex'
import type { FhirHost, FhirServerModule } from '../host/types.ts'
import type { ConsoleOptions } from '../console/index.ts'
import type { TopicDestinationModule } from '../module.ts'
import type { Logger } from '../observability/logger.ts'
import type { MetricsText } from './http/metrics-route.ts'
import type { TopologyFile } from '../topology/catalogue.ts'
import type { HealthProbeOptions } from '../topology/health/health-probe.ts'

export interface ServerOptions {
  /** PostgreSQL connection string; this or `knex` is required. */
  readonly databaseUrl?: string
  /** A whole knex configuration instead of `databaseUrl`. */
  readonly knex?: Knex.Config
  /** Most database connections when `databaseUrl` is given.
   *  @default 20 */
  readonly databasePoolSize?: number
  /** Address to listen on. Any but a loopback address needs `authToken` or `basicAuth`.
   *  @default '127.0.0.1' */
  readonly host?: string
  /** 0 takes a free port.
   *  @default 0 */
  readonly port?: number
  /** URL of /fhir as clients see it, for Location and fullUrl: `https://fhir.example.org/fhir`. Default: the address listened on. */
  readonly baseUrl?: string
  /** Accepted as `Authorization: Bearer <token>`. */
  readonly authToken?: string
  /** `user:password`, accepted as `Authorization: Basic …`. */
  readonly basicAuth?: string
  /** Largest request body in bytes, after decompression.
   *  @default 52428800 */
  readonly bodyLimitBytes?: number
  /** Request header whose value becomes the correlation id of the events of the request.
   *  @default 'x-topic-correlation-id' */
  readonly correlationHeader?: string
  /** Proxies whose X-Forwarded-* headers are believed: IP addresses and networks, separated by commas (`10.0.0.0/8,::1`), or `loopback`, `linklocal`, `uniquelocal`.
   *  @default 'loopback' */
  readonly trustedProxies?: string
  /** Served at /metrics: prom-client's `Registry`, or one of its shape. Who may call the FHIR service may read it. */
  readonly metrics?: MetricsText
  /** Accepted as `Authorization: Bearer <token>` for /metrics and nothing else. */
  readonly metricsToken?: string
  /** Topology of the Kafka cluster, whose health `/ready` asks for, and which the console shows; absent: it asks for database and modules alone. */
  readonly topology?: ServerTopology
  /** @default silent */
  readonly logger?: Logger
  /** Modules to load; the same as calling `load` for each. */
  readonly modules?: readonly FhirServerModule[]
}

/** Where a topology is, and how its principals log in. */
export interface ServerTopology
  extends TopologyFile, Pick<HealthProbeOptions, 'vaultConfigPath' | 'deadlineMs' | 'maxAgeMs'> {}

/** A FHIR R4 server on PostgreSQL that modules are loaded into. */
export interface ReferenceServer extends AsyncDisposable {
  readonly host: FhirHost
  /** Base URL, `http://127.0.0.1:8080/fhir`. Known before `listen()`, because the address is already bound. */
  readonly url: string
  /** Registers a module, which is started by `listen()` and stopped by `close()`.
   *  @throws Error once `listen()` was called */
  load(module: FhirServerModule): void
  /** Serves the console of a loaded module at /console, for whoever may use the FHIR service.
   *  @param options health and topology: default are those of the option topology
   *  @throws Error once `listen()` was called; TopicDestinationError `KTD_TOPOLOGY` when the file cannot be resolved */
  serveConsole(
    module: Pick<TopicDestinationModule, 'monitor'>,
    options?: Pick<ConsoleOptions, 'health' | 'topology'>,
  ): void
  /** Migrates the database, starts the modules and serves requests, which answer 503 until then. Idempotent.
   *  @returns the base URL */
  listen(): Promise<string>
  /** Stops accepting, lets requests in flight finish, stops the modules, closes the pool. Idempotent.
   *  @param timeoutMs deadline for the requests in flight; default 10,000 */
  close(timeoutMs?: number): Promise<void>
}
