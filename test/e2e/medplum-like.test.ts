import assert from 'node:assert/strict'
import { it } from 'node:test'
import { kafkaTopicDestination } from '../../src/module.ts'
import { migrateMedplumLike } from '../integration/hosts/medplum-like/repository.ts'
import { startMedplumLike } from '../integration/hosts/medplum-like/server.ts'
import { FhirClient } from '../helpers/fhir-client.ts'
import { consumeRecords, newTopic, testKafka } from '../helpers/kafka.ts'
import { testDatabase } from '../helpers/postgres.ts'
import { destinationResource, topicResource } from '../helpers/topic-resources.ts'

const headers = { authorization: 'Bearer known' }

it('a Medplum-like server sends what it commits, and nothing of what it rolls back', async (t) => {
  const { bootstrapServers } = await testKafka()
  const kafkaTopic = await newTopic(bootstrapServers)
  let close: () => Promise<void> = () => Promise.resolve()
  // Registered first, run first: before the database goes.
  t.after(() => close())
  const { connectionString, pool } = await testDatabase(t)
  await migrateMedplumLike(pool)
  const server = await startMedplumLike(pool, (baseUrl) =>
    kafkaTopicDestination({
      database: connectionString,
      baseUrl,
      registryLeaseMs: 200,
      stopTimeoutMs: 1000,
    }),
  )
  close = () => server.close()
  const fhir = new FhirClient(server.baseUrl)
  await fhir.put(
    topicResource('patients', {
      resource: 'Patient',
      fhirPathCriteria: '%current.active = true or %previous.active = true',
    }),
    headers,
  )
  await fhir.put(
    destinationResource('d', 'kafka-at-least-once', 'patients', kafkaTopic, bootstrapServers),
    headers,
  )

  const repository = server.repository()
  const patient = { resourceType: 'Patient', active: true }
  const first = await repository.createResource({ ...patient, gender: 'female' })
  const failure = new Error('the Bundle fails')
  await assert.rejects(
    repository.withTransaction(async () => {
      await repository.createResource({ ...patient, gender: 'unknown' })
      throw failure
    }),
    /the Bundle fails/,
  )
  const second = await repository.withTransaction(async () => {
    await assert.rejects(
      repository.withTransaction(async () => {
        await repository.deleteResource('Patient', first.id)
        throw failure
      }),
    )
    return repository.createResource({ ...patient, gender: 'male' })
  })
  await repository.updateResource({ ...first, active: false })
  await repository.deleteResource('Patient', second.id)

  const records = await consumeRecords(bootstrapServers, kafkaTopic, 4)
  assert.deepEqual(
    records.map(({ value }) => told(value)),
    [
      `1 POST ${first.id} female`,
      `2 POST ${second.id} male`,
      `3 PUT ${first.id} female`,
      `4 DELETE ${second.id} undefined`,
    ],
  )
  await fhir.ok('GET', '/AidboxTopicDestination/d/$status', undefined, headers)
  const refused = await fhir.request('GET', '/AidboxTopicDestination/d/$status')
  assert.equal(refused.status, 403)
})

interface Notification {
  readonly entry: readonly {
    readonly resource?: {
      readonly gender?: string
      readonly notificationEvent?: readonly {
        readonly eventNumber: number
        readonly focus: { readonly reference: string }
      }[]
    }
    readonly request?: { readonly method: string }
  }[]
}

function told(value: string | null): string {
  const { entry } = JSON.parse(value ?? '') as Notification
  const event = entry[0]?.resource?.notificationEvent?.[0]
  const [, id] = event?.focus.reference.split('/') ?? []
  const [, focus] = entry
  return `${event?.eventNumber} ${focus?.request?.method} ${id} ${focus?.resource?.gender}`
}
