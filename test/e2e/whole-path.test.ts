import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { FhirClient } from '../helpers/fhir-client.ts'
import { consumeRecords, createTopic, testKafka } from '../helpers/kafka.ts'
import { testDatabase } from '../helpers/postgres.ts'
import { startServerProcess, type ServerProcess } from '../helpers/server-process.ts'
import {
  destinationResource,
  topicResource,
  type TestResource,
} from '../helpers/topic-resources.ts'

interface NotificationBundle {
  readonly type: string
  readonly entry: readonly {
    readonly fullUrl?: string
    readonly request?: { readonly method: string; readonly url: string }
    readonly extension?: readonly object[]
    readonly resource?: Record<string, unknown> & {
      readonly notificationEvent?: readonly Record<string, unknown>[]
    }
  }[]
}

const parse = (value: string | null): NotificationBundle =>
  JSON.parse(value ?? '') as NotificationBundle

describe('a write becomes a Kafka record', () => {
  let server: ServerProcess
  let fhir: FhirClient
  let kafka: string

  before(async (t) => {
    const database = await testDatabase({ name: t.name })
    kafka = (await testKafka()).bootstrapServers
    server = await startServerProcess({
      DATABASE_URL: database.connectionString,
      KAFKA_BOOTSTRAP_SERVERS: kafka,
    })
    fhir = new FhirClient(server.url)
  })

  after(async () => {
    await server.stop()
  })

  for (const kind of ['kafka-at-least-once', 'kafka-best-effort'] as const) {
    it(`delivers create, update and delete in order, ${kind}`, async () => {
      const kafkaTopic = `crud-${kind}`
      await createTopic(kafka, kafkaTopic)
      await fhir.put(topicResource(kind, { resource: 'Patient' }))
      await fhir.put(
        destinationResource(kind, kind, kind, kafkaTopic, kafka, {
          includeEntryAction: true,
          includeVersionId: true,
          includeVersionIdInFocusReference: true,
        }),
      )
      const created = await fhir.ok(
        'POST',
        '/Patient',
        { resourceType: 'Patient', active: true },
        { 'x-topic-correlation-id': 'order-4711' },
      )
      const path = `/Patient/${String(created['id'])}`
      await fhir.ok('PUT', path, { ...created, active: false })
      await fhir.ok('DELETE', path)

      const records = await consumeRecords(kafka, kafkaTopic, 3)
      assert.deepEqual(
        records.map(({ key }) => key),
        [created['id'], created['id'], created['id']],
      )
      const bundles = records.map(({ value }) => parse(value))
      assert.deepEqual(
        bundles.map(({ entry }) => entry[0]?.resource?.notificationEvent?.[0]?.['eventNumber']),
        [1, 2, 3],
      )
      assert.deepEqual(
        bundles.map(({ entry }) => entry[1]?.request),
        [
          { method: 'POST', url: '/fhir/Patient' },
          { method: 'PUT', url: `/fhir${path}` },
          { method: 'DELETE', url: `/fhir${path}` },
        ],
      )
      const [first] = bundles
      assert.equal(first?.type, 'history')
      assert.equal(
        first.entry[0]?.resource?.notificationEvent?.[0]?.['correlationId'],
        'order-4711',
      )
      assert.deepEqual(first.entry[1]?.resource, created)
      assert.equal(first.entry[1].fullUrl, `${server.url}${path}`)
      assert.equal(bundles[2]?.entry[1]?.resource, undefined)

      const status = await fhir.untilStatus(kind, ({ count }) => count('messagesDelivered') === 3)
      assert.equal(status.state, 'active')
    })
  }

  it('fires only when the criteria holds, with %previous and %current', async () => {
    await createTopic(kafka, 'criteria')
    await fhir.put(
      topicResource('criteria', {
        resource: 'Encounter',
        supportedInteraction: ['update'],
        fhirPathCriteria: "%previous.status = 'in-progress' and %current.status = 'finished'",
      }),
    )
    await fhir.put(
      destinationResource('criteria', 'kafka-at-least-once', 'criteria', 'criteria', kafka),
    )
    const encounter = (id: string, status: string): TestResource => ({
      resourceType: 'Encounter',
      id,
      status,
      class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
    })
    for (const status of ['planned', 'in-progress', 'finished'])
      await fhir.put(encounter('fires', status))
    for (const status of ['finished', 'in-progress']) await fhir.put(encounter('silent', status))
    const last = encounter('last', 'in-progress')
    await fhir.put(last)
    await fhir.put({ ...last, status: 'finished' })
    const records = await consumeRecords(kafka, 'criteria', 2)
    assert.deepEqual(
      records.map(({ key }) => key),
      ['fires', 'last'],
    )
  })

  it('sends nothing of a transaction that was rolled back', async () => {
    for (const kind of ['kafka-at-least-once', 'kafka-best-effort'] as const) {
      await createTopic(kafka, `rollback-${kind}`)
      await fhir.put(topicResource(`rollback-${kind}`, { resource: 'Group' }))
      await fhir.put(
        destinationResource(
          `rollback-${kind}`,
          kind,
          `rollback-${kind}`,
          `rollback-${kind}`,
          kafka,
        ),
      )
    }
    const group = { resourceType: 'Group', type: 'person', actual: true }
    const entry = (resource: object) => ({ resource, request: { method: 'POST', url: 'Group' } })
    const failed = await fhir.request('POST', '', {
      resourceType: 'Bundle',
      type: 'transaction',
      entry: [entry(group), entry({ resourceType: 'Group', type: 'person' })],
    })
    assert.ok(failed.status >= 400 && failed.status < 500, String(failed.status))
    const stored = await fhir.ok('POST', '', {
      resourceType: 'Bundle',
      type: 'transaction',
      entry: [entry(group)],
    })
    const location =
      (stored['entry'] as { response: { location: string } }[])[0]?.response.location ?? ''
    for (const kind of ['kafka-at-least-once', 'kafka-best-effort'] as const) {
      const [record, ...more] = await consumeRecords(kafka, `rollback-${kind}`, 1)
      assert.ok(record?.key != null && location.includes(record.key))
      assert.deepEqual(more, [])
    }
  })

  it('refuses a destination without its topic, and stores nothing', async () => {
    const answer = await fhir.request(
      'PUT',
      '/AidboxTopicDestination/orphan',
      destinationResource('orphan', 'kafka-at-least-once', 'never-created', 'x', kafka),
    )
    assert.equal(answer.status, 422)
    assert.deepEqual((answer.body['issue'] as { expression: string[] }[])[0]?.expression, [
      'AidboxTopicDestination.topic',
    ])
    assert.equal((await fhir.request('GET', '/AidboxTopicDestination/orphan')).status, 404)
  })
})
