import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { FhirClient } from '../helpers/fhir-client.ts'
import { newTopic, testKafka } from '../helpers/kafka.ts'
import { testDatabase } from '../helpers/postgres.ts'
import { startServerProcess } from '../helpers/server-process.ts'
import { destinationResource, topicResource } from '../helpers/topic-resources.ts'

it('the example consumer prints each event once, and ends with its signal', async (t) => {
  const { connectionString } = await testDatabase(t)
  const { bootstrapServers } = await testKafka()
  const kafkaTopic = await newTopic(bootstrapServers, { partitions: 4 })
  const server = await startServerProcess({ DATABASE_URL: connectionString })
  t.after(() => server.stop())
  const fhir = new FhirClient(server.url)
  await fhir.put(topicResource('example', { resource: 'Patient' }))
  await fhir.put(
    destinationResource('example', 'kafka-at-least-once', 'example', kafkaTopic, bootstrapServers),
  )
  const ids = Array.from({ length: 20 }, (_, index) => `p${index + 1}`)
  for (const id of ids) await fhir.put({ resourceType: 'Patient', id })

  const consumer = spawn(
    process.execPath,
    ['--import', 'tsx', 'examples/consume-notifications.ts', kafkaTopic],
    {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      env: { ...process.env, KAFKA_BOOTSTRAP_SERVERS: bootstrapServers },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  t.after(() => consumer.kill('SIGKILL'))
  const lines: string[] = []
  for await (const line of createInterface(consumer.stdout)) {
    lines.push(line)
    if (lines.length === ids.length) break
  }
  // Over several partitions, whose records come in any order.
  assert.deepEqual(
    new Set(lines),
    new Set(ids.map((id, index) => `AidboxTopicDestination/example ${index + 1} Patient/${id}`)),
  )
  const exit = once(consumer, 'exit')
  consumer.kill('SIGTERM')
  assert.deepEqual(await exit, [0, null])
})
