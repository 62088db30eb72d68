import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Pool } from 'pg'
import { FhirClient } from '../helpers/fhir-client.ts'
import { consumeUntil, newTopic, testKafka } from '../helpers/kafka.ts'
import { testDatabase } from '../helpers/postgres.ts'
import { startServerProcess, type ServerProcess } from '../helpers/server-process.ts'
import { destinationResource, topicResource } from '../helpers/topic-resources.ts'
import { told, type Told } from '../integration/delivery/nodes.ts'
import { newId } from '../integration/history-tables/captures.ts'
import { createMedplumTables, put, remove } from '../integration/history-tables/medplum-tables.ts'

const writerCount = 6
const transactionsPerWriter = 400
const kills = 4

/** Writes to resources of its own in transactions of several; some are rolled back. What is committed joins `committed` in its order. */
async function write(pool: Pool, writer: number, committed: Map<string, string[]>): Promise<void> {
  const client = await pool.connect()
  const ids = Array.from({ length: 5 }, newId)
  for (const id of ids) committed.set(`Patient/${id}`, [])
  const living = new Set<string>()
  for (let n = 0; n < transactionsPerWriter; n++) {
    await client.query('begin')
    const isCommitted = (n + writer) % 7 !== 0
    const done: [id: string, versionId: string][] = []
    for (const id of ids.slice(0, 1 + ((n * writer) % 3))) {
      const isDelete = living.has(id) && (n + id.charCodeAt(0)) % 11 === 0
      const { versionId } = isDelete
        ? await remove(client, 'Patient', id)
        : await put(client, 'Patient', id, { n })
      done.push([id, isDelete ? 'deleted' : versionId])
    }
    await client.query(isCommitted ? 'commit' : 'rollback')
    if (!isCommitted) continue
    for (const [id, versionId] of done) {
      committed.get(`Patient/${id}`)?.push(versionId)
      if (versionId === 'deleted') living.delete(id)
      else living.add(id)
    }
  }
  client.release()
}

it('delivers what the tables of a server got, once and in order, while the process beside it is killed', async (t) => {
  const { connectionString } = await testDatabase(t)
  const { bootstrapServers } = await testKafka()
  const pool = new Pool({ connectionString, max: writerCount })
  pool.on('error', () => undefined)
  await createMedplumTables(pool, 'Patient')
  const kafkaTopic = await newTopic(bootstrapServers)
  const env = { DATABASE_URL: connectionString, LOG_LEVEL: 'fatal', AUTH_TOKEN: 'secret' }
  const start = (): Promise<ServerProcess> =>
    startServerProcess(env, 'examples/history-tables/main.ts')
  let sidecar = await start()
  t.after(() => sidecar.stop())
  const client = new FhirClient(sidecar.url)
  const topic = topicResource('all', { resource: 'Patient' })
  assert.equal((await client.request('PUT', '/AidboxSubscriptionTopic/all', topic)).status, 401)
  const headers = { authorization: 'Bearer secret' }
  await client.put(topic, headers)
  await client.put(
    destinationResource('d', 'kafka-at-least-once', 'all', kafkaTopic, bootstrapServers),
    headers,
  )

  const committed = new Map<string, string[]>()
  const writing = Promise.all(
    Array.from({ length: writerCount }, (_, writer) => write(pool, writer + 1, committed)),
  )
  for (let kill = 0; kill < kills; kill++) {
    await sidecar.kill()
    sidecar = await start()
  }
  await writing
  const expected = [...committed.values()].flat().length
  t.diagnostic(`${expected} changes, ${kills} kills`)

  // A page under way when the process was killed may come twice, with the same numbers.
  let events = new Map<number, Told>()
  await consumeUntil(
    bootstrapServers,
    kafkaTopic,
    (records) => {
      events = new Map(records.map(told).map((event) => [event.number, event]))
      return events.size >= expected
    },
    { deadlineMs: 120_000 },
  )
  const inOrder = [...events.values()].toSorted((a, b) => a.number - b.number)
  assert.deepEqual(
    inOrder.map(({ number }) => number),
    inOrder.map((_event, index) => index + 1),
  )
  const delivered = new Map([...committed.keys()].map((reference) => [reference, [] as string[]]))
  for (const { focus, versionId = 'deleted' } of inOrder) delivered.get(focus)?.push(versionId)
  assert.deepEqual(delivered, committed)
  await pool.end()
  assert.equal(await sidecar.stop(), 0)
})
