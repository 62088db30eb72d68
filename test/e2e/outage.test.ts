import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FhirClient } from '../helpers/fhir-client.ts'
import { consumeRecords, createTopic, privateKafka } from '../helpers/kafka.ts'
import { privatePostgres, testDatabase } from '../helpers/postgres.ts'
import { startServerProcess } from '../helpers/server-process.ts'
import { destinationResource, topicResource } from '../helpers/topic-resources.ts'

const patient = (id: string) => ({ resourceType: 'Patient', id })

describe('an outage', () => {
  it('of Kafka, at creation and later: writes go on, $status says why, delivery resumes by itself', async (t) => {
    const database = await testDatabase(t)
    const kafka = await privateKafka(t)
    await createTopic(kafka.bootstrapServers, 'outage')
    await createTopic(kafka.bootstrapServers, 'outage-best-effort')
    await kafka.kill()
    const server = await startServerProcess({
      DATABASE_URL: database.connectionString,
      KAFKA_BOOTSTRAP_SERVERS: kafka.bootstrapServers,
    })
    t.after(() => server.stop())
    const fhir = new FhirClient(server.url)
    await fhir.put(topicResource('outage', { resource: 'Patient' }))
    await fhir.put(
      destinationResource(
        'outage',
        'kafka-at-least-once',
        'outage',
        'outage',
        kafka.bootstrapServers,
      ),
    )
    await fhir.put(
      destinationResource(
        'outage-be',
        'kafka-best-effort',
        'outage',
        'outage-best-effort',
        kafka.bootstrapServers,
      ),
    )
    await fhir.put(patient('a'))
    const down = await fhir.untilStatus('outage', ({ errors }) => errors.length > 0)
    assert.equal(down.count('messagesQueued') + down.count('messagesInProcess'), 1)
    assert.match(down.errors[0] ?? '', /connect|broker|down|reach/i)

    await kafka.restart()
    await fhir.untilStatus('outage', ({ count }) => count('messagesDelivered') === 1)
    await fhir.untilStatus('outage-be', ({ count }) => count('messagesDelivered') === 1)

    await kafka.kill()
    await fhir.put(patient('b'))
    await kafka.restart()
    await fhir.untilStatus('outage', ({ count }) => count('messagesDelivered') === 2)
    const records = await consumeRecords(kafka.bootstrapServers, 'outage', 2)
    assert.deepEqual(
      records.map(({ key }) => key),
      ['a', 'b'],
    )
  })

  it('of PostgreSQL: 503, then everything goes on by itself', async (t) => {
    const postgres = await privatePostgres(t)
    const kafka = await privateKafka(t)
    await createTopic(kafka.bootstrapServers, 'database')
    const server = await startServerProcess({
      DATABASE_URL: postgres.connectionString,
      KAFKA_BOOTSTRAP_SERVERS: kafka.bootstrapServers,
    })
    t.after(() => server.stop())
    const fhir = new FhirClient(server.url)
    await fhir.put(topicResource('database', { resource: 'Patient' }))
    await fhir.put(
      destinationResource(
        'database',
        'kafka-at-least-once',
        'database',
        'database',
        kafka.bootstrapServers,
      ),
    )
    await fhir.put(patient('a'))
    await fhir.untilStatus('database', ({ count }) => count('messagesDelivered') === 1)

    await postgres.kill()
    const answer = await fhir.request('PUT', '/Patient/b', patient('b'))
    assert.equal(answer.status, 503)
    assert.equal(answer.body['resourceType'], 'OperationOutcome')

    await postgres.restart()
    for (const deadlineMs = Date.now() + 20_000; ;) {
      const { status } = await fhir.request('PUT', '/Patient/b', patient('b'))
      if (status === 201) break
      assert.ok(Date.now() < deadlineMs, `still ${status} 20 s after PostgreSQL is back`)
    }
    await fhir.untilStatus('database', ({ count }) => count('messagesDelivered') === 2)
    const records = await consumeRecords(kafka.bootstrapServers, 'database', 2)
    assert.deepEqual([...new Set(records.map(({ key }) => key))], ['a', 'b'])
  })
})
