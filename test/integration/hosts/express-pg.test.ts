import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { OperationOutcomeError, forbidden } from '@medplum/core'
import express from 'express'
import { fhirRoutes } from '../../../examples/express-pg/fhir-routes.ts'
import { createTables, readResources } from '../../../examples/express-pg/resource-table.ts'
import { transactions, type Writes } from '../../../examples/express-pg/transactions.ts'
import { fromPg } from '../../../src/host/sql-tx.ts'
import { expressHost } from '../../../src/http/express.ts'
import { hostConformance, type HostUnderTest, type HostWrites } from '../../../src/testing/index.ts'
import { call, RecordingModule } from '../server/http-server.ts'
import { testDatabase, type TestDatabase } from '../../helpers/postgres.ts'
import { restWrites } from './rest-writes.ts'

let sharedDatabase: Promise<TestDatabase> | undefined
const database = () => (sharedDatabase ??= testDatabase({ name: 'express-pg' }))

const headers = { authorization: 'Bearer known' }

/** The service of examples/express-pg, put together as its main.ts does. */
const expressPg = (open: () => Promise<TestDatabase>): HostUnderTest => ({
  async start(module) {
    const { pool } = await open()
    await createTables(pool)
    const app = express()
    const listener = app.listen(0, '127.0.0.1')
    await once(listener, 'listening')
    const baseUrl = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/fhir`
    const host = expressHost({
      pool,
      baseUrl,
      read: (references, tx) => readResources(tx ?? pool, references),
      authorize: (principal) =>
        principal ? Promise.resolve() : Promise.reject(new OperationOutcomeError(forbidden)),
      principalOf: (request) =>
        request.headers.authorization === undefined ? undefined : { id: 'known' },
    })
    module.register(host)
    await module.start()
    const transaction = transactions(pool, host)
    app.use('/fhir', host.router)
    app.use('/fhir', fhirRoutes(pool, transaction))
    return {
      writes: restWrites(baseUrl, headers),
      transaction: (work) => transaction((writes) => work(openWrites(writes))),
      database: fromPg(pool),
      rest: { baseUrl, headers, refusedHeaders: {} },
      async stop() {
        listener.close()
        listener.closeAllConnections()
        await once(listener, 'close')
        await module.stop()
      },
    }
  },
  lacks: {
    history: 'the service keeps no versions',
    references: 'the service gives the module none',
    savepoints: 'the service has none',
    statements: 'the service runs no SQL of its callers',
    retries: 'at READ COMMITTED with one row for each resource no race is lost',
    patch: 'the service has no PATCH',
    bundles: 'the service has transactions only, whose entries are writes',
    requestHeaders: 'the service does not read them',
  },
})

function openWrites(writes: Writes): HostWrites {
  return {
    create: (resource) => writes.put({ ...resource, id: randomUUID() }),
    update: (resource) => writes.put({ ...resource, id: resource.id ?? '' }),
    async delete(resourceType, id) {
      await writes.delete(resourceType, id)
    },
  }
}

it('examples/express-pg answers an OperationOutcome to an address that it does not know', async (t) => {
  const started = await expressPg(database).start(new RecordingModule())
  t.after(() => started.stop())
  const { baseUrl } = started.rest ?? {}
  for (const [method, path, status] of [
    ['GET', '/metadata', 404],
    ['GET', '/Patient', 404],
    ['GET', '/Encounter/1', 404],
    ['POST', '/Patient/1/$everything', 404],
    ['PATCH', '/Patient/1', 404],
    ['GET', '/Patient/%zz', 400],
  ] as const) {
    const answer = await call(`${baseUrl}${path}`, method, method === 'GET' ? undefined : {})
    assert.deepEqual([answer.status, answer.body.resourceType], [status, 'OperationOutcome'], path)
  }
})

describe('host conformance: examples/express-pg', () => {
  for (const { name, skip, run } of hostConformance(expressPg(database))) it(name, { skip }, run)
})

describe('host conformance: examples/express-pg, each case on an empty database', () => {
  let empty: Promise<TestDatabase>
  for (const { name, requires, skip, run } of hostConformance(expressPg(() => empty))) {
    if (skip !== false || !requires.includes('customResourceTypes')) continue
    it(name, async (t) => {
      empty = testDatabase(t)
      await run()
    })
  }
})
