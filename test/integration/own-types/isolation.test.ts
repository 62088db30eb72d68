import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Client, type Pool, type PoolClient } from 'pg'
import { fromPg, kafkaTopicDestination, OwnTypesHost } from '../../../src/index.ts'
import type { HostTransaction } from '../../../src/own-types/own-types-host.ts'
import { outboxSchema } from '../../../src/outbox/schema.ts'
import { consumeRecords, newTopic, testKafka } from '../../helpers/kafka.ts'
import { testDatabase, type CleanUp, type TestDatabase } from '../../helpers/postgres.ts'
import { recordingLogger, type LogLine } from '../../helpers/recording-logger.ts'
import { destinationResource, topicResource } from '../../helpers/topic-resources.ts'
import { unitTransaction } from '../../helpers/unit-transaction.ts'
import { lines, told } from '../delivery/nodes.ts'
import { ask } from './ask.ts'

const baseUrl = 'https://fhir.example.org/fhir'
const schema = outboxSchema()
const levels = ['repeatable read', 'serializable'] as const

/** A database whose sessions begin their transactions at this level. */
async function databaseAt(level: string, t: CleanUp): Promise<TestDatabase> {
  const database = await testDatabase(t)
  const client = new Client({ connectionString: database.connectionString })
  await client.connect()
  const { rows } = await client.query<{ name: string }>('select current_database() as name')
  await client.query(
    `alter database ${rows[0]?.name} set default_transaction_isolation = '${level}'`,
  )
  await client.end()
  const { rows: now } = await database.pool.query('show transaction_isolation')
  assert.deepEqual(now, [{ transaction_isolation: level }])
  return database
}

interface Loaded {
  readonly host: OwnTypesHost
  readonly pool: Pool
}

/** A host with the module and two topics, where relays acknowledge and topics change in the middle of every transaction. */
async function loaded(t: CleanUp, { pool, connectionString }: TestDatabase): Promise<Loaded> {
  const host = new OwnTypesHost({ pool, baseUrl })
  host.addCommitHooks({
    beforeCommit: async () => {
      await pool.query(`update ${schema.destination} set pos = pos`)
      await pool.query(`update ${schema.topicHolder} set url = url`)
    },
    afterCommit: () => Promise.resolve(),
    afterRollback: () => undefined,
  })
  const times = { registryLeaseMs: 50, stopTimeoutMs: 1000 }
  const module = kafkaTopicDestination({ database: connectionString, baseUrl, ...times })
  module.register(host)
  await module.start()
  t.after?.(() => module.stop())
  for (const id of ['one', 'two']) await put(host, topicResource(id, { resource: 'Patient' }))
  await put(host, destination('one'))
  return { host, pool }
}

/** Sends nothing. */
function destination(topicId: string) {
  const off = { status: 'off' }
  return destinationResource('d', 'kafka-at-least-once', topicId, 'events', 'localhost:1', off)
}

type Resource = ReturnType<typeof destination>

async function put(host: OwnTypesHost, resource: Resource): Promise<void> {
  const url = `/${resource.resourceType}/${resource.id}`
  const { status, body } = await ask(host, 'PUT', url, resource)
  assert.ok([200, 201].includes(status), JSON.stringify(body))
}

/** One attempt of a transaction of the host, whose snapshot is taken at once. */
async function attempt(
  { host, pool }: Loaded,
  begin: string,
  work: (transaction: HostTransaction, client: PoolClient) => Promise<unknown>,
): Promise<void> {
  const unit = host.unitOfWork()
  await unitTransaction(
    pool,
    unit,
    async (client) => {
      await client.query('select 1')
      await work({ tx: fromPg(client), unit }, client)
    },
    { begin },
  )
}

for (const level of levels) {
  describe(`a database whose default is ${level}`, () => {
    it('does not make a change of a topic or destination fail that the host of the two types commits', async (t) => {
      const { host } = await loaded(t, await databaseAt(level, t))
      await put(host, destination('two'))
      await put(host, { ...topicResource('one', { resource: 'Patient' }), url: `${baseUrl}/new` })
      const { body } = await ask(host, 'GET', '/AidboxTopicDestination/d')
      assert.match(JSON.stringify(body), /"versionId":"2"/)
    })

    it('makes it fail with 40001 in a transaction of the host, for ever; READ COMMITTED does not', async (t) => {
      const tested = await loaded(t, await databaseAt(level, t))
      const change = (begin: string) =>
        attempt(tested, begin, (transaction) => writeIn(tested.host, transaction))
      for (let n = 1; n <= 3; n++) await assert.rejects(change('begin'), { code: '40001' })
      await change('begin isolation level read committed')
      const { body } = await ask(tested.host, 'GET', '/AidboxTopicDestination/d')
      assert.match(JSON.stringify(body), /"versionId":"2"/)
    })

    it('hands a lost race in a transaction of the host to the host, alone and in a bundle', async (t) => {
      const tested = await loaded(t, await databaseAt(level, t))
      const url = 'AidboxTopicDestination/d'
      const entry = [{ request: { method: 'PUT', url }, resource: destination('two') }]
      const bundle = { resourceType: 'Bundle', type: 'transaction', entry }
      for (const [method, path, body] of [
        ['PUT', `/${url}`, destination('two')],
        ['POST', '/', bundle],
      ] as const) {
        const race = attempt(tested, 'begin', async (transaction) => {
          await tested.pool.query(`update ${schema.ownResource} set version_id = version_id`)
          const headers = { 'content-type': 'application/fhir+json' }
          const readBody = () => Promise.resolve({ parsed: body })
          await tested.host.handle({ method, url: path, headers, readBody, transaction })
        })
        await assert.rejects(race, { code: '40001' }, method)
      }
    })
  })
}

async function writeIn(host: OwnTypesHost, transaction: HostTransaction): Promise<void> {
  const answer = await host.handle({
    method: 'PUT',
    url: '/AidboxTopicDestination/d',
    headers: {},
    readBody: () => Promise.resolve({ parsed: destination('two') }),
    transaction,
  })
  assert.equal(answer?.status, 200)
}

/** Changes the destination while an acknowledgement waits for its row. */
async function changeUnderAcknowledgement(pool: Pool): Promise<void> {
  const client = await pool.connect()
  await client.query('begin isolation level read committed')
  await client.query(`update ${schema.destination} set pos = pos`)
  const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
  while ((await pool.query(waiting)).rows.length === 0);
  await client.query('commit')
  client.release()
}

describe('delivery on a database whose default is repeatable read', () => {
  it('loses nothing and fails at nothing while a destination goes from topic to topic', async (t) => {
    const { bootstrapServers } = await testKafka()
    const kafkaTopic = await newTopic(bootstrapServers)
    const { pool, connectionString } = await databaseAt('repeatable read', t)
    const logged: LogLine[] = []
    const host = new OwnTypesHost({ pool, baseUrl })
    const module = kafkaTopicDestination({
      database: connectionString,
      baseUrl,
      registryLeaseMs: 50,
      logger: recordingLogger(logged),
    })
    module.register(host)
    await module.start()
    t.after(() => module.stop())
    for (const id of ['one', 'two']) await put(host, topicResource(id, { resource: 'Patient' }))
    const onTopic = (id: string) =>
      destinationResource('d', 'kafka-at-least-once', id, kafkaTopic, bootstrapServers)
    await put(host, onTopic('one'))
    const over = new AbortController()
    let written = 0
    const write = async (): Promise<void> => {
      while (!over.signal.aborted) {
        const id = `p${written++}`
        await attempt({ host, pool }, 'begin', ({ unit }) => {
          const current = { resourceType: 'Patient', id }
          unit.record({ interaction: 'create', resourceType: 'Patient', id, current })
          return Promise.resolve()
        })
      }
    }
    const writers = [write(), write()]
    for (let n = 0; n < 10; n++) await put(host, onTopic(n % 2 === 0 ? 'two' : 'one'))
    await changeUnderAcknowledgement(pool)
    over.abort()
    await Promise.all(writers)
    const records = await consumeRecords(bootstrapServers, kafkaTopic, written, {
      deadlineMs: 60_000,
    })
    const all = records.map(told)
    assert.equal(lines(all).length, written)
    assert.deepEqual(
      all.map(({ number }) => number),
      Array.from({ length: written }, (_, n) => n + 1),
    )
    assert.equal(new Set(all.map(({ focus }) => focus)).size, written)
    const failures = logged.filter(({ level }) => ['warn', 'error'].includes(level))
    assert.deepEqual(failures, [])
  })
})
