import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import express, { type Express } from 'express'
import type { Pool } from 'pg'
import {
  consoleRouter,
  type ConsoleOptions,
  type ConsoleRouter,
} from '../../../src/console/index.ts'
import { expressHost } from '../../../src/http/express.ts'
import { kafkaTopicDestination } from '../../../src/module.ts'
import type { DeliveryMonitor } from '../../../src/monitor/delivery-monitor.ts'
import { FhirClient } from '../../helpers/fhir-client.ts'
import { testDatabase } from '../../helpers/postgres.ts'
import { destinationResource, topicResource } from '../../helpers/topic-resources.ts'
import { untilOverview } from '../../helpers/until-overview.ts'

export interface ConsoleService {
  readonly origin: string
  /** Of the console. */
  readonly url: string
  readonly app: Express
  readonly fhir: FhirClient
  readonly router: ConsoleRouter
  readonly monitor: DeliveryMonitor
  readonly pool: Pool
}

export interface ConsoleServiceOptions extends Pick<ConsoleOptions, 'signIn'> {
  /** Default: whoever asks may do everything. */
  readonly authorize?: ConsoleOptions<IncomingMessage>['authorize']
  /** Where the console is mounted.
   *  @default '/console' */
  readonly path?: string
}

/** An Express service with a console, a topic `a` and a destination `a` that no broker serves. */
export async function consoleService(
  t: TestContext,
  {
    authorize = () => ({ mayWrite: true }),
    path = '/console',
    ...options
  }: ConsoleServiceOptions = {},
): Promise<ConsoleService> {
  const { pool, connectionString } = await testDatabase(t)
  const app = express()
  const listener = app.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const origin = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`
  const host = expressHost({ pool, baseUrl: `${origin}/fhir` })
  const module = kafkaTopicDestination({
    database: connectionString,
    baseUrl: `${origin}/fhir`,
    registryLeaseMs: 50,
  })
  module.register(host)
  const router = consoleRouter({
    ...options,
    module,
    fhir: (request) => host.handle(request),
    authorize,
  })
  app.use(path, router)
  app.use('/fhir', host.router)
  await module.start()
  t.after(async () => {
    router.close()
    const closed = once(listener, 'close')
    listener.close()
    listener.closeAllConnections()
    await closed
    await module.stop()
  })
  const fhir = new FhirClient(`${origin}/fhir`)
  await fhir.put(topicResource('a', { resource: 'Patient' }))
  await fhir.put(destinationResource('a', 'kafka-at-least-once', 'a', 'a', '127.0.0.1:1'))
  // What is shared by all who ask is up to a second old.
  await untilOverview(module.monitor, ({ destinations }) => destinations.length > 0)
  const url = `${origin}${path}`.replace(/\/$/, '')
  return { origin, url, app, fhir, router, monitor: module.monitor, pool }
}

export const eventStream = { accept: 'text/event-stream' }
export const action = { 'x-fhir-console': '1', 'content-type': 'application/json' }
