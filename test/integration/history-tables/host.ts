import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import {
  historyTablesHost,
  type HistoryTablesHost,
  type HistoryTablesOptions,
} from '../../../src/history-tables/index.ts'
import { kafkaTopicDestination } from '../../../src/module.ts'
import { FhirClient } from '../../helpers/fhir-client.ts'
import type { CleanUp } from '../../helpers/postgres.ts'

export interface Sidecar {
  readonly host: HistoryTablesHost
  /** Of the module's two types. */
  readonly client: FhirClient
}

/** The module beside a server, as a process of its own would run it. */
export async function startSidecar(
  t: CleanUp,
  database: string,
  options: Partial<HistoryTablesOptions> = {},
): Promise<Sidecar> {
  const app = express()
  const server = createServer(app)
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/fhir`
  const host = historyTablesHost({
    database,
    baseUrl,
    resourceTypes: ['Patient', 'Observation'],
    pollIntervalMs: 20,
    ...options,
  })
  t.after?.(async () => {
    server.close()
    server.closeAllConnections()
    await host.stop()
  })
  host.load(
    kafkaTopicDestination({
      database,
      baseUrl: 'https://fhir.example.org/fhir',
      registryLeaseMs: 200,
      stopTimeoutMs: 1000,
    }),
  )
  app.use('/fhir', host.router)
  await host.start()
  return { host, client: new FhirClient(baseUrl) }
}
