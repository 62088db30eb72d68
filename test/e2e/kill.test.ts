import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FhirClient } from '../helpers/fhir-client.ts'
import { consumeUntil, createTopic, testKafka } from '../helpers/kafka.ts'
import { testDatabase } from '../helpers/postgres.ts'
import { startServerProcess } from '../helpers/server-process.ts'
import { destinationResource, topicResource } from '../helpers/topic-resources.ts'

const patients = 60

describe('kill -9 of the server', () => {
  it('loses no at-least-once event and keeps order and numbers, however often it is killed', async (t) => {
    const database = await testDatabase(t)
    const { bootstrapServers } = await testKafka()
    const env = {
      DATABASE_URL: database.connectionString,
      KAFKA_BOOTSTRAP_SERVERS: bootstrapServers,
    }
    await createTopic(bootstrapServers, 'kill')
    let server = await startServerProcess(env)
    t.after(() => server.stop())
    const client = () => new FhirClient(server.url)
    await client().put(topicResource('kill', { resource: 'Patient' }))
    await client().put(
      destinationResource('kill', 'kafka-at-least-once', 'kill', 'kill', bootstrapServers),
    )

    const acknowledged: string[] = []
    for (let kill = 0; kill < 3; kill++) {
      const writing = writeUntilDown(client(), kill, acknowledged)
      await writing.started
      await server.kill()
      await writing.done
      server = await startServerProcess(env)
    }
    const stored = await storedVersions(client())
    for (const key of acknowledged)
      assert.ok(stored.has(key), `${key} was answered but is not stored`)

    const seen = new Map<number, string>()
    await consumeUntil(bootstrapServers, 'kill', (records) => {
      for (const { value } of records) {
        const { number, key } = read(value)
        assert.ok(
          seen.get(number) === undefined || seen.get(number) === key,
          `event ${number} changed`,
        )
        seen.set(number, key)
      }
      return new Set(seen.values()).size >= stored.size
    })
    assert.deepEqual(new Set(seen.values()), stored)
    assert.deepEqual(
      [...seen.keys()].sort((a, b) => a - b),
      [...seen.keys()].map((_, index) => index + 1),
    )
    const status = await client().untilStatus('kill', ({ count }) => count('messagesQueued') === 0)
    assert.equal(status.count('messagesDelivered'), stored.size)
  })
})

/** Creates patients over eight connections until the server is gone. */
function writeUntilDown(client: FhirClient, run: number, acknowledged: string[]) {
  let begin: () => void
  const started = new Promise<void>((resolve) => {
    begin = resolve
  })
  const write = async (worker: number): Promise<void> => {
    for (let n = 0; n < patients; n++) {
      const id = `p-${run}-${worker}-${n}`
      try {
        const { status } = await client.request('PUT', `/Patient/${id}`, {
          resourceType: 'Patient',
          id,
        })
        if (status === 201) acknowledged.push(`Patient/${id}`)
      } catch {
        return
      }
      if (n === 10) begin()
    }
  }
  return { started, done: Promise.all(Array.from({ length: 8 }, (_, worker) => write(worker))) }
}

async function storedVersions(client: FhirClient): Promise<Set<string>> {
  const stored = new Set<string>()
  let path: string | undefined = '/Patient?_count=500&_sort=_id'
  while (path !== undefined) {
    const bundle = (await client.ok('GET', path)) as {
      entry?: { resource: { id: string } }[]
      link?: { relation: string; url: string }[]
    }
    for (const { resource } of bundle.entry ?? []) stored.add(`Patient/${resource.id}`)
    const next: string | undefined = bundle.link?.find(({ relation }) => relation === 'next')?.url
    path = next?.replace(/^.*\/fhir(?=\/|\?)/, '')
  }
  return stored
}

function read(value: string | null): { number: number; key: string } {
  const bundle = JSON.parse(value ?? '') as {
    entry: {
      resource: { notificationEvent: { eventNumber: number; focus: { reference: string } }[] }
    }[]
  }
  const event = bundle.entry[0]?.resource.notificationEvent[0]
  assert.ok(event)
  return { number: event.eventNumber, key: event.focus.reference }
}
