import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Pool } from 'pg'
import { consumeRecords, newTopic, testKafka, type ConsumedRecord } from '../../helpers/kafka.ts'
import { testDatabase, type TestDatabase } from '../../helpers/postgres.ts'
import { destinationResource, topicResource } from '../../helpers/topic-resources.ts'
import { told } from '../delivery/nodes.ts'
import { eventually, openTransaction } from '../postgres/outbox-fixture.ts'
import { newId } from './captures.ts'
import { startSidecar, type Sidecar } from './host.ts'
import { createMedplumTables, put, remove } from './medplum-tables.ts'

const { bootstrapServers } = await testKafka()

async function medplumDatabase(t: TestContext): Promise<TestDatabase> {
  const database = await testDatabase(t)
  await createMedplumTables(database.pool, 'Patient', 'Observation')
  return database
}

/** Creates a destination of the topic `all`; returns its Kafka topic. */
async function subscribe(
  { client }: Sidecar,
  id: string,
  kind: 'kafka-at-least-once' | 'kafka-best-effort' = 'kafka-at-least-once',
): Promise<string> {
  const kafkaTopic = await newTopic(bootstrapServers)
  await client.put(destinationResource(id, kind, 'all', kafkaTopic, bootstrapServers))
  return kafkaTopic
}

const everyPatient = topicResource('all', { resource: 'Patient' })

/** Relayed changes and events wait in the database until the test lets go. */
async function holdRelay(pool: Pool): Promise<{ release(): Promise<void> }> {
  const open = await openTransaction(pool)
  await open.tx.query('select from topic_destination_capture.destination for update')
  return { release: () => open.commit() }
}

function focuses(records: readonly ConsumedRecord[]): string[] {
  return records.map((record) => told(record).focus)
}

describe('a server with history tables and nothing else', () => {
  it('has what its topics select on Kafka, as it was stored and when it was written', async (t) => {
    const { pool, connectionString } = await medplumDatabase(t)
    const sidecar = await startSidecar(t, connectionString)
    const { client } = sidecar
    const criteria = {
      created: 'active = true',
      activated: '%previous.active = false and %current.active = true',
      observed: 'subject.resolve().active = true',
    }
    await client.put(
      topicResource(
        'all',
        {
          resource: 'Patient',
          supportedInteraction: ['create'],
          fhirPathCriteria: criteria.created,
        },
        {
          resource: 'Patient',
          supportedInteraction: ['update'],
          fhirPathCriteria: criteria.activated,
        },
        { resource: 'Patient', supportedInteraction: ['delete'] },
        { resource: 'Observation', fhirPathCriteria: criteria.observed },
      ),
    )
    const kafkaTopic = await subscribe(sidecar, 'd')
    const [a, b, o] = [newId(), newId(), newId()]
    const subject = { reference: `Patient/${b}` }
    const before = Math.floor(Date.now() / 1000) * 1000
    const created = await put(pool, 'Patient', a, { active: true, text: 'ü 🚑' })
    await put(pool, 'Patient', b, { active: false })
    await put(pool, 'Observation', o, { subject: { reference: 'Patient/no-uuid' } })
    const gone = await openTransaction(pool)
    await put(gone.tx, 'Patient', newId(), { active: true })
    await gone.rollback()
    const activated = await put(pool, 'Patient', b, { active: true })
    await put(pool, 'Patient', b, { active: true, gender: 'other' })
    const observed = await put(pool, 'Observation', o, { subject })
    const removed = await remove(pool, 'Patient', a)
    const records = await consumeRecords(bootstrapServers, kafkaTopic, 4)
    assert.deepEqual(
      records.map((record) => {
        const { number, focus, versionId } = told(record)
        return [number, focus, versionId]
      }),
      [
        [1, `Patient/${a}`, created.versionId],
        [2, `Patient/${b}`, activated.versionId],
        [3, `Observation/${o}`, observed.versionId],
        [4, `Patient/${a}`, undefined],
      ],
    )
    assert.ok(records[0]?.value?.includes(created.content))
    assert.ok(removed.versionId)
    for (const { value } of records) {
      const { timestamp } = JSON.parse(value ?? '') as { timestamp: string }
      assert.ok(Date.parse(timestamp) >= before && Date.parse(timestamp) <= Date.now())
    }
    const status = await client.untilStatus('d', ({ count }) => count('messagesDelivered') === 4)
    assert.equal(status.count('messagesQueued'), 0)
    assert.deepEqual(await sidecar.host.captureStatus(), { queued: 0, relayed: 7, setAside: 0 })
  })

  it('tells the time of the write, however late it is relayed', async (t) => {
    const { pool, connectionString } = await medplumDatabase(t)
    const sidecar = await startSidecar(t, connectionString)
    await sidecar.client.put(everyPatient)
    const kafkaTopic = await subscribe(sidecar, 'd')
    const held = await holdRelay(pool)
    const open = await openTransaction(pool)
    await put(open.tx, 'Patient', newId())
    const { rows } = await open.tx.query<{ now: Date }>(`select date_trunc('second', now()) as now`)
    await open.commit()
    const passed = rows[0]?.now.getTime() ?? 0
    while (Date.now() < passed + 2000) await pool.query('select pg_sleep(0.1)')
    await held.release()
    const [record] = await consumeRecords(bootstrapServers, kafkaTopic, 1)
    const { timestamp } = JSON.parse(record?.value ?? '') as { timestamp: string }
    assert.equal(Date.parse(timestamp), passed)
  })

  it('reaches best-effort destinations too', async (t) => {
    const { pool, connectionString } = await medplumDatabase(t)
    const sidecar = await startSidecar(t, connectionString)
    await sidecar.client.put(everyPatient)
    const kafkaTopic = await subscribe(sidecar, 'b', 'kafka-best-effort')
    const id = newId()
    await put(pool, 'Patient', id)
    await remove(pool, 'Patient', id)
    const records = await consumeRecords(bootstrapServers, kafkaTopic, 2)
    assert.deepEqual(focuses(records), [`Patient/${id}`, `Patient/${id}`])
  })

  it('tells a destination of every write that starts after its 201, whichever node answers and relays', async (t) => {
    const { pool, connectionString } = await medplumDatabase(t)
    const relaying = await startSidecar(t, connectionString)
    const standby = await startSidecar(t, connectionString)
    await relaying.client.put(everyPatient)
    for (const [index, node] of [standby, relaying, standby].entries()) {
      const kafkaTopic = await subscribe(node, `d${index}`)
      const id = newId()
      await put(pool, 'Patient', id)
      assert.deepEqual(focuses(await consumeRecords(bootstrapServers, kafkaTopic, 1)), [
        `Patient/${id}`,
      ])
    }
  })

  it('tells a destination of nothing that was committed before it was asked for, however late it is relayed', async (t) => {
    const { pool, connectionString } = await medplumDatabase(t)
    const sidecar = await startSidecar(t, connectionString)
    await sidecar.client.put(everyPatient)
    const toFirst = await subscribe(sidecar, 'first')
    const [early, late] = [newId(), newId()]
    const held = await holdRelay(pool)
    await put(pool, 'Patient', early)
    const subscribing = subscribe(sidecar, 'second')
    // The resource is written, and its transaction waits for the relay.
    await eventually(async () => {
      const waiting = await pool.query(
        `select from pg_stat_activity
          where datname = current_database() and state = 'idle in transaction' and query like '%own_resource%'`,
      )
      return waiting.rows.length > 0
    })
    await held.release()
    const toSecond = await subscribing
    await put(pool, 'Patient', late)
    assert.deepEqual(focuses(await consumeRecords(bootstrapServers, toSecond, 1)), [
      `Patient/${late}`,
    ])
    assert.deepEqual(focuses(await consumeRecords(bootstrapServers, toFirst, 2)), [
      `Patient/${early}`,
      `Patient/${late}`,
    ])
  })

  it('refuses a destination for now while earlier changes cannot be relayed', async (t) => {
    const { pool, connectionString } = await medplumDatabase(t)
    const sidecar = await startSidecar(t, connectionString)
    const held = await holdRelay(pool)
    await put(pool, 'Patient', newId())
    const answer = await sidecar.client.request('PUT', '/AidboxSubscriptionTopic/all', everyPatient)
    assert.equal(answer.status, 503)
    await held.release()
    await sidecar.client.put(everyPatient)
  })

  it('goes on through the node that is left', async (t) => {
    const { pool, connectionString } = await medplumDatabase(t)
    const first = await startSidecar(t, connectionString)
    await first.client.put(everyPatient)
    const kafkaTopic = await subscribe(first, 'd')
    const second = await startSidecar(t, connectionString)
    const ids = [newId(), newId()]
    await put(pool, 'Patient', ids[0] ?? '')
    await first.host.stop()
    await put(pool, 'Patient', ids[1] ?? '')
    const records = await consumeRecords(bootstrapServers, kafkaTopic, 2)
    assert.deepEqual(
      records.map((record) => [told(record).number, told(record).focus]),
      ids.map((id, index) => [index + 1, `Patient/${id}`]),
    )
    assert.equal((await second.client.status('d')).count('messagesQueued'), 0)
  })
})
