import type { TestContext } from 'node:test'
import { Registry } from 'prom-client'
import { kafkaTopicDestination } from '../../../src/module.ts'
import type { ModuleOptions } from '../../../src/options.ts'
import { createServer } from '../../../src/server/create-server.ts'
import type { ServerOptions } from '../../../src/server/server-options.ts'
import { FhirClient } from '../../helpers/fhir-client.ts'
import { testKafka } from '../../helpers/kafka.ts'
import { testDatabase } from '../../helpers/postgres.ts'

export interface ObservedServer {
  readonly url: string
  readonly fhir: FhirClient
  readonly bootstrapServers: string
  readonly databaseUrl: string
}

/** The reference server with the module and /metrics, in this process. */
export async function startObservedServer(
  t: TestContext,
  options: {
    module?: Partial<ModuleOptions>
    server?: Partial<ServerOptions>
    /** Default: a database of its own. */
    databaseUrl?: string
  } = {},
): Promise<ObservedServer> {
  const databaseUrl = options.databaseUrl ?? (await testDatabase(t)).connectionString
  const { bootstrapServers } = await testKafka()
  const registry = new Registry()
  const server = await createServer({ databaseUrl, metrics: registry, ...options.server })
  t.after(() => server.close())
  server.load(
    kafkaTopicDestination({
      database: databaseUrl,
      baseUrl: server.url,
      registryLeaseMs: 200,
      stopTimeoutMs: 1000,
      metrics: { registry },
      ...options.module,
    }),
  )
  const url = await server.listen()
  return { url, fhir: new FhirClient(url), bootstrapServers, databaseUrl }
}
