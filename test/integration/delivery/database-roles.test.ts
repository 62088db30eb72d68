import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { it, type TestContext } from 'node:test'
import { Pool } from 'pg'
import { kafkaTopicDestination } from '../../../src/module.ts'
import { OwnTypesHost } from '../../../src/own-types/own-types-host.ts'
import { outboxMigrationsSql } from '../../../src/outbox/migrations.ts'
import { outboxGrantsSql } from '../../../src/outbox/host-grants.ts'
import { newTopic, testKafka } from '../../helpers/kafka.ts'
import { testDatabase } from '../../helpers/postgres.ts'
import { topicResource } from '../../helpers/topic-resources.ts'
import { destination, lines, patient, patientsTopic, readTold, untilStatus } from './nodes.ts'
import { PgHost } from './pg-host.ts'

const { bootstrapServers } = await testKafka()

/** A database with a role for the host and one for the module, which owns its schema. `stops` run at the end, the last one first. */
async function twoRoles(t: TestContext) {
  const stops: (() => Promise<unknown>)[] = []
  t.after(async () => {
    for (const stop of stops.toReversed()) await stop()
  })
  const { pool, connectionString } = await testDatabase({
    name: t.name,
    after: (end) => stops.push(end as () => Promise<unknown>),
  })
  const suffix = randomBytes(6).toString('hex')
  const [hostRole, moduleRole] = [`host_${suffix}`, `module_${suffix}`]
  for (const role of [hostRole, moduleRole]) {
    await pool.query(`create role ${role} login password 'secret'`)
    await pool.query(
      `grant create on database ${new URL(connectionString).pathname.slice(1)} to ${role}`,
    )
    stops.push(async () => {
      await pool.query(`drop owned by ${role} cascade`)
      await pool.query(`drop role ${role}`)
    })
  }
  await pool.query(`grant create on schema public to ${hostRole}`)
  const as = (role: string): string => {
    const url = new URL(connectionString)
    url.username = role
    url.password = 'secret'
    return url.href
  }
  const hostPool = new Pool({ connectionString: as(hostRole), max: 5 })
  stops.push(() => hostPool.end())
  return { stops, hostPool, hostRole, moduleUrl: as(moduleRole) }
}

async function runAs(connectionString: string, sql: string): Promise<void> {
  const pool = new Pool({ connectionString, max: 1 })
  await pool.query(sql)
  await pool.end()
}

it('the host and the module may be different roles; the host cannot read events', async (t) => {
  const { stops, hostPool, hostRole, moduleUrl } = await twoRoles(t)
  await PgHost.migrate(hostPool)
  const host = new PgHost(hostPool)
  const module = kafkaTopicDestination({
    database: moduleUrl,
    baseUrl: 'https://fhir.example.org/fhir',
    registryLeaseMs: 200,
    stopTimeoutMs: 1000,
  })
  module.register(host)
  await module.start()
  stops.push(() => module.stop())
  await runAs(moduleUrl, outboxGrantsSql(hostRole))

  const kafkaTopic = await newTopic(bootstrapServers)
  await host.put(patientsTopic)
  await host.put(topicResource('observations', { resource: 'Observation' }))
  await host.put(
    topicResource('undecided', {
      resource: 'Encounter',
      fhirPathCriteria: 'identifier.value.single() = 1',
    }),
  )
  await host.put(destination('d', { kafkaTopic, bootstrapServers }))
  await host.put(destination('u', { topicId: 'undecided', kafkaTopic, bootstrapServers }))
  await host.put(patient('a'))
  // To another topic and back, so that it has moved.
  await host.put(destination('d', { topicId: 'observations', kafkaTopic, bootstrapServers }))
  await host.put({ resourceType: 'Observation', id: 'b' })
  await host.put({
    resourceType: 'Encounter',
    id: 'e',
    identifier: [{ value: '1' }, { value: '2' }],
  })
  const events = await readTold(bootstrapServers, kafkaTopic, ({ length }) => length >= 2)
  assert.deepEqual(lines(events), ['1 Patient/a', '2 Observation/b'])
  const node = { host, module }
  await untilStatus(node, 'd', (now) => now['messagesDelivered'] === 2)
  await untilStatus(node, 'u', (now) => now['messagesUndecided'] === 1)
  await host.delete('AidboxTopicDestination/d')
  await host.delete('AidboxSubscriptionTopic/patients')
  for (const table of ['event', 'undecided_event', 'dead_letter']) {
    await assert.rejects(hostPool.query(`select resource_id from topic_destination.${table}`), {
      code: '42501',
    })
  }
})

it('so may those of a host that keeps topics and destinations in the schema of the module', async (t) => {
  const { stops, hostPool, hostRole, moduleUrl } = await twoRoles(t)
  await runAs(moduleUrl, outboxMigrationsSql())
  await runAs(moduleUrl, outboxGrantsSql(hostRole))
  const baseUrl = 'https://fhir.example.org/fhir'
  const host = new OwnTypesHost({ pool: hostPool, baseUrl })
  const module = kafkaTopicDestination({
    database: moduleUrl,
    baseUrl,
    registryLeaseMs: 100,
    stopTimeoutMs: 1000,
  })
  module.register(host)
  await module.start()
  stops.push(() => module.stop())
  const { id } = patientsTopic
  for (const [method, status] of [
    ['PUT', 201],
    ['GET', 200],
    ['DELETE', 204],
  ] as const) {
    const answer = await host.handle({
      method,
      url: `/AidboxSubscriptionTopic/${id}`,
      headers: { 'content-type': 'application/fhir+json' },
      readBody: () => Promise.resolve(method === 'PUT' ? { parsed: patientsTopic } : undefined),
    })
    assert.equal(answer?.status, status, method)
  }
})
