import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express, { type Express } from 'express'
import {
  expressHost,
  type ExpressHost,
  type ExpressHostOptions,
} from '../../../src/http/express.ts'
import { migrateOutbox } from '../../../src/outbox/migrations.ts'
import { outboxSchema } from '../../../src/outbox/schema.ts'
import { testDatabase, type CleanUp } from '../../helpers/postgres.ts'
import { RecordingModule } from '../server/http-server.ts'

export interface OwnTypesServer {
  readonly url: string
  readonly host: ExpressHost
  readonly module: RecordingModule
  /** Called when `t` ends, where it can. */
  readonly close: () => void
}

/** An Express service that has nothing of FHIR but our router, with the module's types registered; closed when `t` ends.
 *  @param around puts what stands before and behind the router */
export async function ownTypesServer(
  t: CleanUp,
  options: Partial<ExpressHostOptions> = {},
  around: (app: Express, host: ExpressHost) => void = (app, host) => {
    app.use('/fhir', host.router)
  },
): Promise<OwnTypesServer> {
  const { pool } = await testDatabase(t)
  await migrateOutbox(pool, outboxSchema())
  const app = express()
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = (): void => {
    server.close()
    server.closeAllConnections()
  }
  t.after?.(close)
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/fhir`
  const host = expressHost({ pool, baseUrl: url, ...options })
  const module = new RecordingModule()
  module.register(host)
  around(app, host)
  return { url, host, module, close }
}
