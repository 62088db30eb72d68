import { pino } from 'pino'
import { kafkaTopicDestination } from '../module.ts'
import type { Logger } from '../observability/logger.ts'
import { moduleLogger } from '../observability/module-logger.ts'
import { consoleUrl } from './console-url.ts'
import { createServer } from './create-server.ts'
import { startMockKafka } from './embedded/embedded-kafka.ts'
import { startPostgres } from './embedded/embedded-postgres.ts'
import { readServerSettings, type ServerSettings } from './options.ts'
import { loadMetrics } from './load-metrics.ts'
import type { ServerTopology } from './server-options.ts'
import { startFailure } from './start-failure.ts'

type Stop = () => Promise<void>

/** Starts the server and what it lacks. */
async function serve(
  settings: ServerSettings,
  logger: Logger,
  stops: Stop[],
): Promise<ServerAddresses> {
  const lines = moduleLogger(logger)
  const databaseUrl = settings.databaseUrl ?? (await embeddedPostgres(lines, stops))
  if (settings.kafkaBootstrapServers === undefined) await embeddedKafka(lines, stops)
  const registry = settings.metrics ? await loadMetrics(lines) : undefined
  const metrics = registry ? { metrics: registry } : {}
  const topology = topologyOf(settings)
  const server = await createServer({
    ...given(settings),
    ...metrics,
    ...topology,
    databaseUrl,
    logger,
  })
  stops.push(() => server.close(settings.stopTimeoutMs))
  const module = kafkaTopicDestination({
    database: databaseUrl,
    baseUrl: server.url,
    schema: settings.outboxSchema,
    plainSecrets: settings.plainSecrets,
    criteriaElementCheck: settings.criteriaElementCheck,
    strictAidbox: settings.strictAidbox,
    cloudEventsHeaders: settings.cloudEventsHeaders,
    transactionalIdPrefix: settings.transactionalIdPrefix,
    deliveredRetentionMs: settings.deliveredRetentionMs,
    stopTimeoutMs: settings.stopTimeoutMs,
    ...topology,
    ...(settings.allowedTokenEndpoints === undefined
      ? {}
      : { allowedTokenEndpoints: settings.allowedTokenEndpoints.split(',') }),
    logger,
    ...(registry ? { metrics: { registry } } : {}),
    secretCheckIntervalMs: settings.secretCheckIntervalMs,
    ...(settings.vaultConfigPath === undefined
      ? {}
      : { vaultConfigPath: settings.vaultConfigPath }),
    ...(settings.allowedBootstrapServers === undefined
      ? {}
      : { allowedBootstrapServers: settings.allowedBootstrapServers.split(',') }),
  })
  server.load(module)
  if (settings.console) server.serveConsole(module)
  const url = await server.listen()
  return { url, ...(settings.console && { console: consoleUrl(url) }) }
}

async function embeddedPostgres(logger: Logger, stops: Stop[]): Promise<string> {
  const postgres = await startPostgres()
  stops.push(() => postgres.stop())
  logger.info({}, 'DATABASE_URL is not set: started a PostgreSQL that is removed at the end')
  return postgres.connectionString
}

async function embeddedKafka(logger: Logger, stops: Stop[]): Promise<void> {
  const kafka = await startMockKafka()
  stops.push(() => kafka.stop())
  logger.info(
    { bootstrapServers: kafka.bootstrapServers },
    "KAFKA_BOOTSTRAP_SERVERS is not set: started librdkafka's mock cluster, in memory, for trying out",
  )
}

function topologyOf({
  topologyFile: file,
  topologyEnvironment: environment,
  vaultConfigPath,
}: ServerSettings): { readonly topology?: ServerTopology } {
  return file === undefined ? {} : { topology: { file, environment, vaultConfigPath } }
}

/** Settings that are set, in the form of optional options. */
function given(
  settings: ServerSettings,
): Omit<Parameters<typeof createServer>[0], 'databaseUrl' | 'logger'> {
  const {
    host,
    port,
    databasePoolSize,
    bodyLimitBytes,
    correlationHeader,
    trustedProxies,
    baseUrl,
    authToken,
    basicAuth,
    metricsToken,
  } = settings
  return {
    host,
    port,
    databasePoolSize,
    bodyLimitBytes,
    correlationHeader,
    trustedProxies,
    ...(baseUrl === undefined ? {} : { baseUrl }),
    ...(authToken === undefined ? {} : { authToken }),
    ...(basicAuth === undefined ? {} : { basicAuth }),
    ...(metricsToken === undefined ? {} : { metricsToken }),
  }
}

/** Stops in reverse order of starting. A part that fails to stop does not keep the others. */
async function stopAll(stops: Stop[], logger: Logger): Promise<void> {
  for (const stop of stops.splice(0).reverse()) {
    await stop().catch((error: unknown) => {
      logger.error({ err: error }, 'a part of the server did not stop')
    })
  }
}

function firstSignal(): Promise<string> {
  return new Promise((resolve) => {
    process.once('SIGTERM', resolve)
    process.once('SIGINT', resolve)
  })
}

/** Where a server is. */
export interface ServerAddresses {
  /** Base URL of its FHIR service. */
  readonly url: string
  /** Absent: it has none. */
  readonly console?: string
}

/** What a person reads once it serves: a line for each address. */
export function readyText({ url, console }: ServerAddresses): string {
  return `FHIR server ready at ${url}\n${console === undefined ? '' : `Console at ${console}\n`}`
}

export interface RunServerOutput {
  /** It serves. */
  readonly ready: (addresses: ServerAddresses) => void
  /** It does not, because of this. */
  readonly failed: (why: string) => void
}

/** The reference server as a process: runs until SIGTERM or SIGINT, and logs to stderr.
 *  @param environment variables of `serverVariables`
 *  @returns the exit code, when everything is stopped */
export async function runServer(
  environment: Readonly<Record<string, string | undefined>>,
  { ready, failed }: RunServerOutput,
): Promise<number> {
  const stops: Stop[] = []
  const signal = firstSignal()
  let logger: Logger | undefined
  try {
    const settings = readServerSettings(environment)
    logger = pino(
      { level: settings.logLevel, base: null },
      pino.destination({ dest: 2, sync: true }),
    )
    const serving = serve(settings, logger, stops).then(ready)
    await Promise.race([serving, signal])
    const lines = moduleLogger(logger)
    lines.info({ signal: await signal }, 'stopping')
    await serving.catch(() => undefined)
    await stopAll(stops, lines)
    return 0
  } catch (error) {
    failed(startFailure(error))
    if (logger) await stopAll(stops, moduleLogger(logger))
    return 1
  }
}
