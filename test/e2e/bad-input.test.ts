import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { FhirClient } from '../helpers/fhir-client.ts'
import { testDatabase } from '../helpers/postgres.ts'
import { startServerProcess, type ServerProcess } from '../helpers/server-process.ts'
import {
  destinationResource,
  topicResource,
  type TestResource,
} from '../helpers/topic-resources.ts'

interface Issue {
  readonly severity: string
  readonly expression?: readonly string[]
  readonly details?: { readonly text?: string }
}

const kafka = '127.0.0.1:9'
const destination = (more: object = {}): TestResource =>
  destinationResource('bad', 'kafka-at-least-once', 'known', 'records', kafka, more)
const parameters = (...more: object[]): object => ({
  parameter: [
    { name: 'kafkaTopic', valueString: 'records' },
    { name: 'bootstrapServers', valueString: kafka },
    ...more,
  ],
})

const cases: readonly { name: string; resource: TestResource | string; element: RegExp }[] = [
  { name: 'malformed JSON', resource: '{"resourceType":', element: /^$/ },
  { name: 'an unknown element', resource: destination({ colour: 'red' }), element: /colour/ },
  {
    name: 'an element of the wrong type',
    resource: destination({ includeVersionId: 'yes' }),
    element: /includeVersionId/,
  },
  {
    name: 'a missing parameter',
    resource: destination({ parameter: [{ name: 'kafkaTopic', valueString: 'records' }] }),
    element: /parameter/,
  },
  {
    name: 'a doubled parameter',
    resource: destination(parameters({ name: 'kafkaTopic', valueString: 'other' })),
    element: /parameter/,
  },
  {
    name: 'an unknown parameter',
    resource: destination(parameters({ name: 'batchsize', valueInteger: 1 })),
    element: /parameter/,
  },
  {
    name: 'a parameter of the wrong type',
    resource: destination(parameters({ name: 'batchSize', valueString: '1' })),
    element: /parameter/,
  },
  {
    name: 'a topic url that nobody has',
    resource: destination({ topic: 'http://example.org/topic/unknown' }),
    element: /topic/,
  },
  {
    name: 'a kind and a profile that disagree',
    resource: destination({ kind: 'kafka-best-effort' }),
    element: /kind|meta\.profile/,
  },
  {
    name: 'a criteria that does not parse',
    resource: topicResource('bad', {
      resource: 'Patient',
      fhirPathCriteria: "status = 'a' foo bar",
    }),
    element: /trigger\[0\]\.fhirPathCriteria/,
  },
  {
    name: 'a topic without a url',
    resource: { resourceType: 'AidboxSubscriptionTopic', id: 'bad', status: 'active' },
    element: /url/,
  },
]

describe('bad input is refused with the element at fault, and nothing is stored', () => {
  let server: ServerProcess
  let fhir: FhirClient

  before(async (t) => {
    const database = await testDatabase({ name: t.name })
    server = await startServerProcess({
      DATABASE_URL: database.connectionString,
      KAFKA_BOOTSTRAP_SERVERS: kafka,
    })
    fhir = new FhirClient(server.url)
    await fhir.put(topicResource('known', { resource: 'Patient' }))
  })

  after(async () => {
    await server.stop()
  })

  for (const { name, resource, element } of cases) {
    it(name, async () => {
      const type = typeof resource === 'string' ? 'AidboxTopicDestination' : resource.resourceType
      const answer = await fhir.request('PUT', `/${type}/bad`, resource)
      assert.ok(answer.status >= 400 && answer.status < 500, `${answer.status}`)
      assert.equal(answer.body['resourceType'], 'OperationOutcome')
      const issues = answer.body['issue'] as Issue[]
      assert.ok(issues.length > 0)
      if (element.source !== '^$') {
        assert.match(issues.map(({ expression }) => expression?.join(' ') ?? '').join(' '), element)
      }
      assert.equal((await fhir.request('GET', `/${type}/bad`)).status, 404)
      const { body } = await fhir.request('GET', '/AidboxTopicDestination')
      assert.equal(body['total'], 0)
    })
  }
})
