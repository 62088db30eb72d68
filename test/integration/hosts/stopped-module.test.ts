import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { OperationOutcomeError } from '@medplum/core'
import express from 'express'
import { fhirRoutes } from '../../../examples/express-pg/fhir-routes.ts'
import { createTables } from '../../../examples/express-pg/resource-table.ts'
import { transactions } from '../../../examples/express-pg/transactions.ts'
import { expressHost } from '../../../src/http/express.ts'
import { isTopicDestinationError, kafkaTopicDestination } from '../../../src/index.ts'
import type { FhirServerModule } from '../../../src/host/types.ts'
import { createServer } from '../../../src/server/create-server.ts'
import { testDatabase } from '../../helpers/postgres.ts'
import { destinationResource, topicResource } from '../../helpers/topic-resources.ts'
import { PgHost } from '../delivery/pg-host.ts'
import { call } from '../server/http-server.ts'

const topic = topicResource('any', { resource: 'Patient' })
const destination = destinationResource(
  'd',
  'kafka-at-least-once',
  'any',
  'events',
  'localhost:1',
  {
    status: 'off',
  },
)
const status = '/AidboxTopicDestination/d/$status'

interface Served {
  readonly url: string
  readonly module: FhirServerModule
}

function moduleOn(database: string, baseUrl: string): FhirServerModule {
  return kafkaTopicDestination({ database, baseUrl, registryLeaseMs: 50, stopTimeoutMs: 1000 })
}

async function referenceServer(t: TestContext): Promise<Served> {
  const { connectionString } = await testDatabase(t)
  const module = moduleOn(connectionString, 'https://fhir.example.org/fhir')
  const server = await createServer({ databaseUrl: connectionString, modules: [module] })
  t.after(() => server.close())
  return { url: await server.listen(), module }
}

async function expressService(t: TestContext): Promise<Served> {
  const { pool, connectionString } = await testDatabase(t)
  await createTables(pool)
  const app = express()
  const listener = app.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  t.after(() => {
    listener.close()
    listener.closeAllConnections()
  })
  const url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/fhir`
  const host = expressHost({ pool, baseUrl: url })
  const module = moduleOn(connectionString, url)
  module.register(host)
  await module.start()
  app.use('/fhir', host.router, fhirRoutes(pool, transactions(pool, host)))
  return { url, module }
}

describe('after stop()', () => {
  for (const [name, serve] of Object.entries({
    'the reference server': referenceServer,
    'a service on Express': expressService,
  })) {
    it(`${name} answers 503 to $status and to every write, alone and in bundles, and still reads`, async (t) => {
      const { url, module } = await serve(t)
      for (const resource of [topic, destination]) {
        const created = await call(`${url}/${resource.resourceType}`, 'POST', resource)
        assert.equal(created.status, 201, created.text)
      }
      assert.equal((await call(`${url}${status}`, 'GET')).status, 200)
      await module.stop()

      const patient = { resourceType: 'Patient', id: 'p' }
      const entry = [{ request: { method: 'DELETE', url: 'AidboxTopicDestination/d' } }]
      for (const answer of [
        await call(`${url}${status}`, 'GET'),
        await call(`${url}${status}`, 'POST'),
        await call(`${url}/AidboxTopicDestination/d`, 'PUT', { ...destination, status: 'active' }),
        await call(`${url}/AidboxTopicDestination/d`, 'PATCH', { status: 'active' }),
        await call(`${url}/AidboxTopicDestination/d`, 'DELETE'),
        await call(url, 'POST', { resourceType: 'Bundle', type: 'batch', entry }),
        await call(url, 'POST', { resourceType: 'Bundle', type: 'transaction', entry }),
        await call(`${url}/Patient/p`, 'PUT', patient),
      ]) {
        const { resourceType, issue } = answer.body
        assert.deepEqual(
          [answer.status, resourceType, issue?.map(({ code }) => code)],
          [503, 'OperationOutcome', ['transient']],
          answer.text,
        )
      }
      assert.equal((await call(`${url}/AidboxTopicDestination/d`, 'GET')).status, 200)
    })
  }

  it('hooks and operations reject with an outcome that any host can answer', async (t) => {
    const { pool, connectionString } = await testDatabase(t)
    await PgHost.migrate(pool)
    const host = new PgHost(pool)
    const module = moduleOn(connectionString, 'https://fhir.example.org/fhir')
    module.register(host)
    await module.start()
    await host.put(topic, destination)
    await module.stop()
    const isRefusal = (error: unknown): boolean => {
      assert.ok(error instanceof OperationOutcomeError)
      const { id, issue } = error.outcome
      assert.deepEqual([id, issue[0]?.code], ['unavailable', 'transient'])
      return isTopicDestinationError(error.cause) && error.cause.code === 'KTD_STOPPED'
    }
    await assert.rejects(host.put({ resourceType: 'Patient', id: 'p' }), isRefusal)
    await assert.rejects(host.status('d'), isRefusal)
  })
})
