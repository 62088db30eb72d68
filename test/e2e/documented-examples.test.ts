import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { FhirClient } from '../helpers/fhir-client.ts'
import { consumeRecords, createTopic, newTopic, testKafka, uniqueName } from '../helpers/kafka.ts'
import { testDatabase } from '../helpers/postgres.ts'
import { startServerProcess, type ServerProcess } from '../helpers/server-process.ts'

/** Resources as existing clients send them; only hosts and Kafka topics are this test's. */
describe('documented examples', () => {
  let server: ServerProcess
  let fhir: FhirClient
  let kafka: string

  before(async (t) => {
    const { connectionString } = await testDatabase({ name: t.name })
    kafka = (await testKafka()).bootstrapServers
    server = await startServerProcess({ DATABASE_URL: connectionString })
    fhir = new FhirClient(server.url)
  })

  after(async () => {
    await server.stop()
  })

  const topicUrl = 'http://example.org/FHIR/R5/SubscriptionTopic/QuestionnaireResponse-topic'
  const topic = {
    resourceType: 'AidboxSubscriptionTopic',
    url: topicUrl,
    status: 'active',
    trigger: [
      {
        resource: 'QuestionnaireResponse',
        fhirPathCriteria: "status = 'completed' or status = 'amended'",
      },
    ],
  }
  const destination = (id: string, kind: string, profile: string, kafkaTopic: string) => ({
    resourceType: 'AidboxTopicDestination',
    meta: { profile: [profile] },
    id,
    topic: topicUrl,
    kind,
    parameter: [
      { name: 'kafkaTopic', valueString: kafkaTopic },
      { name: 'bootstrapServers', valueString: kafka },
    ],
  })

  const current = 'http://health-samurai.io/fhir/core/StructureDefinition/aidboxtopicdestination-'
  const former = 'http://aidbox.app/StructureDefinition/aidboxtopicdestination-'
  for (const [kind, profile] of [
    ['kafka-best-effort', `${current}kafkaBestEffortProfile`],
    ['kafka-at-least-once', `${current}kafkaAtLeastOnceProfile`],
    ['kafka-best-effort', `${former}kafka-best-effort`],
    ['kafka-at-least-once', `${former}kafka-at-least-once`],
  ] as const) {
    it(`topic and destination, profile ${profile}`, async () => {
      const kafkaTopic = uniqueName('documented')
      const id = kafkaTopic
      await createTopic(kafka, kafkaTopic)
      // Init scripts create under the condition that it is not there yet.
      await fhir.ok('POST', '/AidboxSubscriptionTopic', topic, {
        'if-none-exist': `url=${topicUrl}`,
      })
      const wanted = destination(id, kind, profile, kafkaTopic)
      for (const status of [201, 200]) {
        const answer = await fhir.request('POST', '/AidboxTopicDestination', wanted, {
          'if-none-exist': `_id=${id}`,
        })
        assert.equal(answer.status, status)
        assert.equal(answer.body['id'], id)
      }
      const stored = await fhir.ok(
        'POST',
        '/QuestionnaireResponse',
        { resourceType: 'QuestionnaireResponse', status: 'completed' },
        { 'x-topic-correlation-id': 'order-4711' },
      )
      const [record] = await consumeRecords(kafka, kafkaTopic, 1)
      const { timestamp, ...bundle } = JSON.parse(record?.value ?? '') as { timestamp: string }
      assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
      const reference = `QuestionnaireResponse/${String(stored['id'])}`
      assert.deepEqual(bundle, {
        resourceType: 'Bundle',
        type: 'history',
        entry: [
          {
            resource: {
              resourceType: 'AidboxSubscriptionStatus',
              status: 'active',
              type: 'event-notification',
              notificationEvent: [
                { eventNumber: 1, focus: { reference }, correlationId: 'order-4711' },
              ],
              topic: topicUrl,
              'topic-destination': { reference: `AidboxTopicDestination/${id}` },
            },
          },
          {
            resource: stored,
            fullUrl: `${server.url}/${reference}`,
            request: { method: 'POST', url: '/fhir/QuestionnaireResponse' },
          },
        ],
      })
      assert.equal(record?.key, null)
      const status = await fhir.untilStatus(id, ({ count }) => count('messagesDelivered') === 1)
      assert.deepEqual(
        status.names.slice(0, 6).filter((name) => name !== 'lastErrorDetail'),
        kind === 'kafka-best-effort'
          ? ['messagesDelivered', 'messagesInProcess', 'messagesLost', 'startTimestamp', 'status']
          : [
              'messagesDelivered',
              'messagesDeliveryAttempts',
              'messagesInProcess',
              'messagesQueued',
              'startTimestamp',
              'status',
            ],
      )
      await fhir.ok('DELETE', `/AidboxTopicDestination/${id}`)
    })
  }

  it('a batch of DELETE and POST replaces a destination, also the first time, and keeps its id', async () => {
    const kafkaTopic = await newTopic(kafka)
    await fhir.ok('POST', '/AidboxSubscriptionTopic', topic, { 'if-none-exist': `url=${topicUrl}` })
    const profile = `${current}kafkaAtLeastOnceProfile`
    const resource = destination('init', 'kafka-at-least-once', profile, kafkaTopic)
    for (let start = 0; start < 2; start++) {
      const { entry } = (await fhir.ok('POST', '', {
        resourceType: 'Bundle',
        type: 'batch',
        entry: [
          { request: { method: 'DELETE', url: '/AidboxTopicDestination/init' } },
          { request: { method: 'POST', url: '/AidboxTopicDestination' }, resource },
        ],
      })) as { entry: { response: { status: string; location?: string } }[] }
      assert.deepEqual(
        entry.map(({ response }) => response.status.slice(0, 3)),
        ['204', '201'],
      )
      assert.match(entry[1]?.response.location ?? '', /AidboxTopicDestination\/init\//)
    }
    await fhir.ok('POST', '/QuestionnaireResponse', {
      resourceType: 'QuestionnaireResponse',
      status: 'amended',
    })
    const records = await consumeRecords(kafka, kafkaTopic, 1)
    assert.equal(records.length, 1)
    await fhir.ok('DELETE', '/AidboxTopicDestination/init')
  })

  it('a criteria that resolves a reference to the patient of the encounter', async () => {
    const kafkaTopic = await newTopic(kafka)
    const url = 'http://example.org/subscriptions/encounter-finished'
    await fhir.ok('POST', '/AidboxSubscriptionTopic', {
      resourceType: 'AidboxSubscriptionTopic',
      url,
      status: 'active',
      trigger: [
        {
          resource: 'http://hl7.org/fhir/StructureDefinition/Encounter',
          supportedInteraction: ['create', 'update', 'delete'],
          fhirPathCriteria:
            "subject.resolve().identifier.where(system.contains('patient-portal')).exists() and %current.status='finished' and %previous.status='in-progress'",
        },
      ],
    })
    const profile = `${current}kafkaAtLeastOnceProfile`
    await fhir.ok('POST', '/AidboxTopicDestination', {
      ...destination('resolve', 'kafka-at-least-once', profile, kafkaTopic),
      topic: url,
      includeEntryAction: true,
    })
    for (const [id, system] of [
      ['other', 'http://example.org/mrn'],
      ['portal', 'http://example.org/patient-portal'],
    ] as const) {
      await fhir.put({ resourceType: 'Patient', id, identifier: [{ system, value: id }] })
      for (const status of ['in-progress', 'finished']) {
        await fhir.put({
          resourceType: 'Encounter',
          id,
          status,
          class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
          subject: { reference: `Patient/${id}` },
        })
      }
    }
    const records = await consumeRecords(kafka, kafkaTopic, 1)
    assert.equal(records.length, 1)
    assert.match(records[0]?.value ?? '', /"focus":\{"reference":"Encounter\/portal"\}/)
    const status = await fhir.untilStatus('resolve', ({ count }) => count('messagesQueued') === 0)
    assert.equal(status.count('messagesDelivered'), 1)
  })
})
