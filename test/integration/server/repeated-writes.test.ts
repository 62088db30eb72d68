import assert from 'node:assert/strict'
import { it, type TestContext } from 'node:test'
import { kafkaTopicDestination } from '../../../src/module.ts'
import { createServer } from '../../../src/server/create-server.ts'
import { FhirClient } from '../../helpers/fhir-client.ts'
import { testDatabase } from '../../helpers/postgres.ts'
import { destinationResource, topicResource } from '../../helpers/topic-resources.ts'
import { eventually } from '../postgres/outbox-fixture.ts'

const path = '/AidboxTopicDestination/d'

/** Two nodes that learn of each other's changes late. */
async function twoNodes(t: TestContext) {
  const { connectionString, pool } = await testDatabase(t)
  const start = async (): Promise<FhirClient> => {
    const server = await createServer({ databaseUrl: connectionString, port: 0 })
    server.load(
      kafkaTopicDestination({
        database: connectionString,
        baseUrl: server.url,
        registryLeaseMs: 3000,
        stopTimeoutMs: 100,
      }),
    )
    const url = await server.listen()
    t.after(() => server.close(100))
    return new FhirClient(url)
  }
  const [a, b] = [await start(), await start()]
  const topic = topicResource('t', { resource: 'Patient' })
  await a.put(topic)
  const eventCount = async () => {
    const { rows } = await pool.query<{ events: number }>(
      'select count(*)::int as events from topic_destination.event',
    )
    return rows[0]?.events
  }
  const isStored = async () => {
    const { rows } = await pool.query<{ deleted: boolean }>(
      `select deleted from fhir_resource where type = 'AidboxTopicDestination' and id = 'd'`,
    )
    return rows[0]?.deleted === false
  }
  return { a, b, eventCount, isStored }
}

it('a PUT or DELETE that is repeated on another node is answered when that node acts on it, too', async (t) => {
  const { a, b, eventCount, isStored } = await twoNodes(t)
  const destination = destinationResource('d', 'kafka-at-least-once', 't', 'k', '127.0.0.1:1')
  const putting = a.put(destination)
  await eventually(isStored)
  // The first request still waits for the nodes; a client that lost patience with it sends it again.
  const again = await b.request('PUT', path, destination)
  await b.put({ resourceType: 'Patient', id: 'after-put' })
  assert.equal(await eventCount(), 1)
  const first = await putting
  assert.deepEqual([again.status, again.body['meta']], [200, first['meta']])
  const deleting = a.request('DELETE', path)
  await eventually(async () => !(await isStored()))
  await b.request('DELETE', path)
  await b.put({ resourceType: 'Patient', id: 'after-delete' })
  assert.equal(await eventCount(), 1)
  await deleting
})

it('so is a conditional create that finds what another node has just created', async (t) => {
  const { a, b, eventCount, isStored } = await twoNodes(t)
  const destination = destinationResource('d', 'kafka-at-least-once', 't', 'k', '127.0.0.1:1')
  const creating = a.request('POST', '/AidboxTopicDestination', destination)
  await eventually(isStored)
  const entry = {
    resource: destination,
    request: { method: 'POST', url: 'AidboxTopicDestination', ifNoneExist: '_id=d' },
  }
  const [alone, bundle] = await Promise.all([
    b
      .request('POST', '/AidboxTopicDestination', destination, { 'if-none-exist': '_id=d' })
      .then(async ({ status }) => {
        await b.put({ resourceType: 'Patient', id: 'alone' })
        return status
      }),
    b
      .request('POST', '', { resourceType: 'Bundle', type: 'transaction', entry: [entry] })
      .then(({ status }) => status),
  ])
  assert.deepEqual([alone, bundle], [200, 200])
  assert.equal(await eventCount(), 1)
  await creating
})

it('a destination whose topic has gone may be written again as it is', async (t) => {
  const { a } = await twoNodes(t)
  const destination = destinationResource('d', 'kafka-at-least-once', 't', 'k', '127.0.0.1:1')
  await a.put(destination)
  assert.equal((await a.request('DELETE', '/AidboxSubscriptionTopic/t')).status, 204)
  assert.equal((await a.request('PUT', path, destination)).status, 200)
  const changed = { ...destination, status: 'off' }
  assert.equal((await a.request('PUT', path, changed)).status, 422)
})
