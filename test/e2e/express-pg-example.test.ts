import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { it } from 'node:test'
import { FhirClient } from '../helpers/fhir-client.ts'
import { consumeRecords, createTopic, privateKafka, type ConsumedRecord } from '../helpers/kafka.ts'
import { testDatabase } from '../helpers/postgres.ts'
import { startServerProcess } from '../helpers/server-process.ts'
import { destinationResource, topicResource } from '../helpers/topic-resources.ts'

it('the example service on Express and pg sends its changes, also those of before a kill -9', async (t) => {
  const kafka = await privateKafka(t)
  const { bootstrapServers } = kafka
  await createTopic(bootstrapServers, 'results')
  const database = await testDatabase(t)
  const env = { DATABASE_URL: database.connectionString, PORT: String(await freePort()) }
  const start = () => startServerProcess(env, 'examples/express-pg/main.ts')
  let service = await start()
  t.after(() => service.stop())
  const fhir = new FhirClient(service.url)

  const topic = topicResource('results', {
    resource: 'Observation',
    fhirPathCriteria: "status = 'final' and subject.resolve().active = true",
  })
  const destination = destinationResource(
    'results',
    'kafka-at-least-once',
    'results',
    'results',
    bootstrapServers,
  )
  await fhir.ok('POST', '/AidboxSubscriptionTopic', topic)
  await fhir.ok('POST', '/AidboxTopicDestination', destination)
  const result = (id: string, status = 'final') => ({
    resourceType: 'Observation',
    id,
    status,
    subject: { reference: 'Patient/p' },
  })
  const put = (resource: { resourceType: string; id: string }) => ({
    request: { method: 'PUT', url: `${resource.resourceType}/${resource.id}` },
    resource,
  })
  const transaction = (...entry: object[]) =>
    fhir.request('POST', '', { resourceType: 'Bundle', type: 'transaction', entry })
  const patient = { resourceType: 'Patient', id: 'p', active: true }
  assert.equal((await transaction(put(patient), put(result('a')))).status, 200)
  await fhir.put(result('a'))
  await fhir.put(result('b', 'preliminary'))
  const refused = await transaction(
    put(result('rolled-back')),
    put({ ...patient, resourceType: 'X' }),
  )
  assert.equal(refused.status, 400)
  const posted = await fhir.ok('POST', '/Observation', { ...result(''), id: undefined })

  kafka.pause()
  await fhir.put(result('b'))
  await service.kill()
  kafka.resume()
  service = await start()

  const records = await consumeRecords(bootstrapServers, 'results', 3, { deadlineMs: 60_000 })
  assert.deepEqual(records.map(told), [
    '1 Observation/a version 1',
    `2 Observation/${String(posted['id'])} version 1`,
    '3 Observation/b version 2',
  ])
  const status = await fhir.untilStatus('results', ({ count }) => count('messagesDelivered') === 3)
  assert.equal(status.state, 'active')
  assert.equal(await service.stop(), 0)
})

function told({ value }: ConsumedRecord): string {
  const { entry } = JSON.parse(value ?? '') as {
    entry: [
      { resource: { notificationEvent: { eventNumber: number; focus: { reference: string } }[] } },
      { resource: { meta: { versionId: string } } },
    ]
  }
  const event = entry[0].resource.notificationEvent[0]
  return `${event?.eventNumber} ${event?.focus.reference} version ${entry[1].resource.meta.versionId}`
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
