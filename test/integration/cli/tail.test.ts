import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { startCli, type CliProcess } from '../../helpers/cli-process.ts'
import { FhirClient } from '../../helpers/fhir-client.ts'
import { newTopic, testKafka } from '../../helpers/kafka.ts'
import { testDatabase } from '../../helpers/postgres.ts'
import { destinationResource, topicResource } from '../../helpers/topic-resources.ts'
import { eventually } from '../postgres/outbox-fixture.ts'

const { bootstrapServers } = await testKafka()

describe('fhir-kafka tail, on the console of a server', () => {
  it('shows what a destination sends, goes on when the server restarts, and ends with 0 on Ctrl-C', async (t) => {
    const { connectionString } = await testDatabase(t)
    const serve = async (port: string): Promise<{ server: CliProcess; url: string }> => {
      const server = startCli(t, ['serve', '--port', port, '--log-level', 'error'], {
        DATABASE_URL: connectionString,
        KAFKA_BOOTSTRAP_SERVERS: bootstrapServers,
        AUTH_TOKEN: 'sesame',
      })
      const [, url = ''] = await server.until('out', /ready at (\S+)\n/)
      return { server, url }
    }
    const { server, url } = await serve('0')
    const fhir = new FhirClient(url, { authorization: 'Bearer sesame' })
    const selection = topicResource('patients', { resource: 'Patient' })
    await fhir.ok('PUT', '/AidboxSubscriptionTopic/patients', selection)
    for (const [id, kind] of [
      ['d', 'kafka-at-least-once'],
      ['other', 'kafka-best-effort'],
    ] as const) {
      const kafkaTopic = await newTopic(bootstrapServers)
      const resource = destinationResource(id, kind, 'patients', kafkaTopic, bootstrapServers)
      await fhir.ok('PUT', `/AidboxTopicDestination/${id}`, resource)
    }
    const env = { FHIR_URL: url, FHIR_TOKEN: 'sesame' }
    const unknown = startCli(t, ['tail', '--destination', 'no-such'], env)
    assert.equal(await unknown.exited, 1)
    assert.match(unknown.text('err'), /destinations\/no-such answered 404: /)

    const tail = startCli(t, ['tail', '--destination', 'd', '--json'], env)
    await tail.until('err', /^Live from \S+\/console\. Ctrl-C ends it\.\n/)
    let number = 0
    // What is sent before the tail has looked for the first time is not shown.
    const writeUntilShown = async (lines: number): Promise<void> => {
      await eventually(async () => {
        await fhir.ok('PUT', '/Patient/a', {
          resourceType: 'Patient',
          id: 'a',
          name: [{ family: 'Doe' }],
          multipleBirthInteger: ++number,
        })
        return tail.text('out').split('\n').length > lines
      })
    }
    await writeUntilShown(1)

    server.signal('SIGTERM')
    assert.equal(await server.exited, 0)
    await tail.until('err', /; connecting again\.\n/)
    await serve(new URL(url).port)
    await tail.until('err', /\nConnected again\.\nWhat was sent meanwhile is not shown\.\n/)
    const before = tail.text('out').trimEnd().split('\n').length
    await writeUntilShown(before + 1)

    tail.signal('SIGINT')
    assert.equal(await tail.exited, 0)
    for (const line of tail.text('out').trimEnd().split('\n')) {
      const { destination, resource, state } = JSON.parse(line) as Record<string, unknown>
      assert.deepEqual(
        [destination, resource, state],
        ['AidboxTopicDestination/d', 'Patient/a', 'delivered'],
      )
    }
    assert.doesNotMatch(tail.text('out') + tail.text('err'), /Doe|sesame/)
  })
})
