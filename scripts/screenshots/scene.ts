import { kafkaTopicDestination } from '../../src/module.ts'
import { createServer } from '../../src/server/index.ts'
import { startMockKafka } from '../../src/server/embedded/embedded-kafka.ts'
import { startPostgres } from '../../src/server/embedded/embedded-postgres.ts'
import { parseTopology } from '../../src/topology/parse-topology.ts'
import { resolveTopology } from '../../src/topology/resolve-topology.ts'
import { FhirClient } from '../../test/helpers/fhir-client.ts'
import {
  destinationResource,
  topicResource,
  type TestResource,
} from '../../test/helpers/topic-resources.ts'

export interface Scene {
  readonly consoleUrl: string
  stop(): Promise<void>
}

const writeIntervalMs = 100

const topologyText = `apiVersion: fhir-kafka/v1
kind: KafkaTopology
metadata: { name: hospital }
defaults: { partitions: 3, replicationFactor: 3 }
principals: { fhir: { user: 'User:fhir' } }
services:
  lab: { groupPrefix: lab- }
  wards: { groupPrefix: wards- }
retryPolicies:
  patient: { attempts: 5, delays: [1m, 5m, 30m], maxAge: 1d, then: deadLetter, deadOn: [SyntaxError] }
topics:
  adt-feed: { external: producer, to: [wards/Board, lab/Orders], config: { retention: 7d } }
  lab-feed: { external: producer, to: [wards/Results], retry: patient, partitions: 6, config: { retention: 30d } }
  scheduling: { external: true, config: { cleanup.policy: compact } }
  analytics: { external: true, config: { retention: 1d } }
roles: { Fhir: { principal: fhir, can: [write], topics: [adt-*, lab-*, scheduling, archive] } }
fhir:
  destinations:
    - { id: adt-feed, kafkaTopic: adt-feed, kind: kafka-at-least-once }
    - { id: lab-feed, kafkaTopic: lab-feed, kind: kafka-at-least-once }
    - { id: scheduling, kafkaTopic: scheduling, kind: kafka-at-least-once }
    - { id: lab-archive, kafkaTopic: lab-feed, kind: kafka-at-least-once }
`

/** A server with destinations of every state, and writes all the time. */
export async function startScene(): Promise<Scene> {
  const postgres = await startPostgres()
  const kafka = await startMockKafka()
  const server = await createServer({ databaseUrl: postgres.connectionString })
  const module = kafkaTopicDestination({
    database: postgres.connectionString,
    baseUrl: server.url,
  })
  server.load(module)
  server.serveConsole(module, {
    topology: resolveTopology(parseTopology(topologyText, 'hospital.yaml')),
  })
  const fhir = new FhirClient(await server.listen())
  for (const resource of resources(kafka.bootstrapServers)) await fhir.put(resource)
  let number = 0
  let writing: Promise<unknown> = Promise.resolve()
  const timer = setInterval(() => {
    const writes = writesOf(++number)
    writing = writing.then(() => Promise.all(writes.map((resource) => fhir.put(resource))))
  }, writeIntervalMs)
  return {
    consoleUrl: server.url.replace(/\/fhir$/, '/console/'),
    async stop() {
      clearInterval(timer)
      await writing
      await server.close()
      await kafka.stop()
      await postgres.stop()
    },
  }
}

function resources(kafka: string): readonly TestResource[] {
  const queue = (id: string, topic: string, servers = kafka, more: object = {}): TestResource =>
    destinationResource(id, 'kafka-at-least-once', topic, id, servers, more)
  return [
    topicResource('lab-results-final', {
      resource: 'Observation',
      supportedInteraction: ['create', 'update'],
      fhirPathCriteria: "status = 'final'",
    }),
    topicResource('patients', { resource: 'Patient' }),
    topicResource('appointments', {
      resource: 'Appointment',
      fhirPathCriteria: 'participant.single().exists()',
    }),
    queue('lab-feed', 'lab-results-final'),
    queue('adt-feed', 'patients'),
    queue('billing', 'patients', '127.0.0.1:1'),
    queue('archive', 'patients', kafka, { status: 'off' }),
    queue('scheduling', 'appointments'),
    destinationResource('analytics', 'kafka-best-effort', 'patients', 'analytics', kafka),
  ]
}

/** More in some seconds than in others, so that there is something to see. */
function writesOf(number: number): readonly TestResource[] {
  const wave = 1 + Math.round(2 + 2 * Math.sin(number / 60))
  const patients = Array.from({ length: wave }, (_each, index) => ({
    resourceType: 'Patient',
    id: `p${(number * 5 + index) % 200}`,
    multipleBirthInteger: number,
  }))
  const observation = {
    resourceType: 'Observation',
    id: `o${number % 100}`,
    status: 'final',
    code: { text: `test ${number}` },
  }
  const actor = { actor: { display: 'somebody' }, status: 'accepted' }
  const appointment = {
    resourceType: 'Appointment',
    id: `a${number}`,
    status: 'booked',
    start: '2026-12-01T09:00:00Z',
    end: '2026-12-01T09:30:00Z',
    participant: number % 900 === 0 ? [actor, actor] : [actor],
  }
  return [...patients, observation, ...(number % 30 === 0 ? [appointment] : [])]
}
