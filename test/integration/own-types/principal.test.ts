import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { it } from 'node:test'
import { forbidden, OperationOutcomeError } from '@medplum/core'
import { FhirRouter, MemoryRepository } from '@medplum/fhir-router'
import express, { type Request } from 'express'
import type { FhirHost } from '../../../src/host/types.ts'
import { expressHost } from '../../../src/http/express.ts'
import { fhirRouterHost, statusOf } from '../../../src/http/fhir-router.ts'
import { historyTablesHost } from '../../../src/history-tables/index.ts'
import { migrateOutbox } from '../../../src/outbox/migrations.ts'
import { outboxSchema } from '../../../src/outbox/schema.ts'
import { testDatabase } from '../../helpers/postgres.ts'
import { call, RecordingModule } from '../server/http-server.ts'

const type = 'AidboxTopicDestination'

interface User {
  readonly name: string
}

/** As authentication libraries make it. */
interface AuthenticatedRequest extends Request {
  user: User
}

const authorize: FhirHost['authorize'] = (principal) => {
  if (principal?.id !== 'nurse') throw new OperationOutcomeError(forbidden)
}

it('principalOf of an Express server takes the request that its middleware has made, without a cast', async (t) => {
  const { pool } = await testDatabase(t)
  await migrateOutbox(pool, outboxSchema())
  const host = expressHost({
    pool,
    baseUrl: 'https://fhir.example.org/fhir',
    principalOf: ({ user }: AuthenticatedRequest) => ({ id: user.name }),
    authorize,
  })
  new RecordingModule().register(host)
  const app = express()
  app.use((request, _response, next) => {
    Object.assign(request, { user: { name: request.get('x-user') ?? '' } satisfies User })
    next()
  })
  app.use('/fhir', host.router)
  const listener = app.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  t.after(() => {
    listener.close()
    listener.closeAllConnections()
  })
  const url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/fhir/${type}`
  const as = async (name: string) => (await call(url, 'GET', undefined, { 'x-user': name })).status
  assert.deepEqual([await as('nurse'), await as('nobody')], [200, 403])
})

class UserRepository extends MemoryRepository {
  readonly user: User

  constructor(user: User) {
    super()
    this.user = user
  }
}

it('principalOf and transactionOf of a server on fhir-router take its own repository, without a cast', async (t) => {
  const { pool } = await testDatabase(t)
  await migrateOutbox(pool, outboxSchema())
  const asked: string[] = []
  const host = fhirRouterHost({
    pool,
    baseUrl: 'https://fhir.example.org/fhir',
    principalOf: ({ user }: UserRepository) => ({ id: user.name }),
    transactionOf: ({ user }) => {
      asked.push(user.name)
      return undefined
    },
    authorize,
  })
  new RecordingModule().register(host)
  const router = new FhirRouter()
  host.addRoutes(router)
  const as = async (name: string) => {
    const request = { method: 'GET', url: type, pathname: '', params: {}, query: {}, body: {} }
    const [outcome] = await router.handleRequest(
      { ...request, method: 'GET' },
      new UserRepository({ name }),
    )
    return statusOf(outcome)
  }
  assert.deepEqual([await as('nurse'), await as('nobody')], [200, 403])
  assert.deepEqual(asked, ['nurse', 'nobody'])
})

/** Compiled, not run. */
export function requestsOfOtherServers(options: Parameters<typeof expressHost>[0]): void {
  interface Authenticated extends IncomingMessage {
    readonly auth?: { readonly sub: string }
  }
  const principalOf = ({ auth }: Authenticated) => (auth ? { id: auth.sub } : undefined)
  expressHost({ ...options, principalOf })
  historyTablesHost({ baseUrl: options.baseUrl, database: '', principalOf })
  // Without a type it is what every server has.
  expressHost({ ...options, principalOf: ({ headers }) => ({ id: headers.host ?? '' }) })
  const ofSocket = ({ sessionId }: { readonly sessionId: string }) => ({ id: sessionId })
  // @ts-expect-error It is no request of HTTP.
  expressHost({ ...options, principalOf: ofSocket })
  // @ts-expect-error It is no repository.
  fhirRouterHost({ ...options, principalOf: ofSocket })
  // @ts-expect-error It answers no principal.
  expressHost({ ...options, principalOf: ({ auth }: Authenticated) => auth })
}
