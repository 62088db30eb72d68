import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { errorOutcome } from '../../../src/rest/outcomes.ts'
import { OperationOutcomeError } from '@medplum/core'
import { Pool } from 'pg'
import { kafkaTopicDestination, OwnTypesHost } from '../../../src/index.ts'
import { migrateOutbox } from '../../../src/outbox/migrations.ts'
import { outboxSchema } from '../../../src/outbox/schema.ts'
import { testDatabase } from '../../helpers/postgres.ts'
import { recordingLogger, type LogLine } from '../../helpers/recording-logger.ts'
import { destinationResource, topicResource } from '../../helpers/topic-resources.ts'
import { call, RecordingModule } from '../server/http-server.ts'
import { ask } from './ask.ts'
import { ownTypesServer } from './own-types-server.ts'

const baseUrl = 'https://fhir.example.org/fhir'
const type = 'AidboxTopicDestination'
const destination = (id: string, more: object = {}) =>
  destinationResource(id, 'kafka-best-effort', 'any', 'events', 'localhost:9092', more)

/** First: the module's types are known to @medplum/core for the rest of the process then. */
it('a FHIRPath Patch works as the first request of a process', async (t) => {
  const { pool } = await testDatabase(t)
  const schema = outboxSchema()
  await migrateOutbox(pool, schema)
  const host = new OwnTypesHost({ pool, baseUrl })
  new RecordingModule().register(host)
  await pool.query(`insert into ${schema.ownResource} values ($1, 'a', 1, now(), false, $2)`, [
    type,
    { ...destination('a'), meta: { ...(destination('a')['meta'] as object), versionId: '1' } },
  ])
  const operation = (...part: object[]) => ({ name: 'operation', part })
  const { status, body } = await ask(host, 'PATCH', `/${type}/a`, {
    resourceType: 'Parameters',
    parameter: [
      operation(
        { name: 'type', valueCode: 'replace' },
        { name: 'path', valueString: `${type}.parameter.where(name = 'kafkaTopic').value` },
        { name: 'value', valueString: 'other' },
      ),
    ],
  })
  assert.equal(status, 200, JSON.stringify(body))
  assert.match(JSON.stringify(body), /"name":"kafkaTopic","valueString":"other"/)
})

describe('OwnTypesHost', () => {
  it('answers 503 until the module has made its tables', async (t) => {
    const { pool, connectionString } = await testDatabase(t)
    const host = new OwnTypesHost({ pool, baseUrl })
    const module = kafkaTopicDestination({ database: connectionString, baseUrl })
    module.register(host)
    assert.equal((await ask(host, 'GET', `/${type}`)).status, 503)
    await module.start()
    assert.equal((await ask(host, 'GET', `/${type}`)).status, 200)
    await module.stop()
    const refused = await ask(host, 'POST', '/AidboxSubscriptionTopic', topicResource('late'))
    assert.equal(refused.status, 503)
  })

  it('makes its tables for a module that has none of its own, however many nodes start at once', async (t) => {
    let stop = (): Promise<unknown> => Promise.resolve()
    // Before the database goes: what is registered first runs first.
    t.after(() => stop())
    const { pool, connectionString } = await testDatabase(t)
    const schema = 'others'
    const pools = Array.from({ length: 6 }, () => new Pool({ connectionString, max: 1 }))
    const nodes = pools.map((ofNode) => new OwnTypesHost({ pool: ofNode, baseUrl, schema }))
    const module = kafkaTopicDestination({ database: connectionString, baseUrl, schema })
    stop = () => Promise.all([...pools.map((ofNode) => ofNode.end()), module.stop()])
    module.register(new OwnTypesHost({ pool, baseUrl, schema }))
    const listed = await Promise.all([...nodes.map((node) => node.list(type)), module.start()])
    assert.deepEqual(listed, [...nodes.map(() => []), undefined])
    const { migration } = outboxSchema(schema)
    const { rows } = await pool.query<{ version: number }>(
      `select version from ${migration} order by version`,
    )
    assert.ok(rows.length > 0)
    assert.deepEqual(
      rows.map(({ version }) => version),
      rows.map((_row, index) => index + 1),
      'each migration was run once',
    )
  })

  it('says what is wrong when it may not make its tables', async (t) => {
    const { pool, connectionString } = await testDatabase(t)
    const role = `reader_${randomBytes(6).toString('hex')}`
    await pool.query(`create role ${role}`)
    const asReader = new Pool({ connectionString, options: `-c role=${role}` })
    const host = new OwnTypesHost({ pool: asReader, baseUrl })
    await assert.rejects(host.list(type), /permission denied for database/)
    await asReader.end()
    await pool.query(`drop role ${role}`)
  })

  it('keeps what was written in the schema of the module, whatever its name', async (t) => {
    const { pool, connectionString } = await testDatabase(t)
    const schema = `A "schema" of ours`
    const load = async () => {
      const host = new OwnTypesHost({ pool, baseUrl, schema })
      const times = { registryLeaseMs: 50, stopTimeoutMs: 1000 }
      const module = kafkaTopicDestination({
        database: connectionString,
        baseUrl,
        schema,
        ...times,
      })
      module.register(host)
      await module.start()
      return { host, module }
    }
    const first = await load()
    const topic = topicResource('kept', { resource: 'Patient' })
    assert.equal((await ask(first.host, 'POST', '/AidboxSubscriptionTopic', topic)).status, 201)
    await first.module.stop()
    const second = await load()
    const found = await ask(
      second.host,
      'GET',
      '/AidboxSubscriptionTopic?url=' + String(topic['url']),
    )
    assert.match(JSON.stringify(found.body), /"total":1/)
    const taken = { ...topic, id: 'another' }
    const refused = await ask(second.host, 'POST', '/AidboxSubscriptionTopic', taken)
    assert.equal(refused.status, 422, JSON.stringify(refused.body))
    await second.module.stop()
  })

  it('writes with the only connection of a pool, and gives it back before a change is announced', async (t) => {
    const { connectionString } = await testDatabase(t)
    const pool = new Pool({ connectionString, max: 1 })
    const host = new OwnTypesHost({ pool, baseUrl })
    const module = kafkaTopicDestination({ database: connectionString, baseUrl })
    module.register(host)
    await module.start()
    const ids = ['a', 'b', 'c', 'd', 'e']
    const answers = await Promise.all(
      ids.map((id) =>
        ask(host, 'POST', '/AidboxSubscriptionTopic', topicResource(id, { resource: 'Patient' })),
      ),
    )
    assert.deepEqual(
      answers.map(({ status }) => status),
      ids.map(() => 201),
    )
    await module.stop()
    await pool.end()
  })

  it('creates once, however many ask for it at once under one condition', async (t) => {
    const { url } = await ownTypesServer(t)
    const answers = await Promise.all(
      Array.from({ length: 10 }, () =>
        call(`${url}/${type}`, 'POST', destination('once'), { 'if-none-exist': '_id=once' }),
      ),
    )
    assert.deepEqual(
      answers.map(({ status }) => status).toSorted((a, b) => b - a),
      [201, ...Array.from({ length: 9 }, () => 200)],
    )
  })

  it('numbers the versions of concurrent updates without a gap, and tells each one its predecessor', async (t) => {
    const { url, module } = await ownTypesServer(t)
    await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        call(`${url}/${type}/v`, 'PUT', {
          ...destination('v'),
          parameter: [
            ...(destination('v')['parameter'] as object[]),
            { name: 'batchSize', valueInteger: n },
          ],
        }),
      ),
    )
    const changes = module.changes.toSorted((a, b) => Number(a.versionId) - Number(b.versionId))
    assert.deepEqual(
      changes.map(({ interaction, versionId, previous }) => [
        interaction,
        versionId,
        previous?.meta?.versionId,
      ]),
      Array.from({ length: 8 }, (_, n) =>
        n === 0 ? ['create', '1', undefined] : ['update', `${n + 1}`, `${n}`],
      ),
    )
  })

  it('asks authorize before everything, in bundles too, and passes the principal on', async (t) => {
    const asked: string[] = []
    const { url, module } = await ownTypesServer(t, {
      principalOf: ({ headers }) => ({ id: headers['x-user'] as string }),
      authorize: (principal, action, reference) => {
        asked.push(`${principal?.id} ${action} ${reference}`)
        if (principal?.id === 'writer' || action === 'read') return Promise.resolve()
        const text = 'Only the writer writes.'
        throw new OperationOutcomeError(errorOutcome('forbidden', 'forbidden', text))
      },
    })
    const as = { writer: { 'x-user': 'writer' }, reader: { 'x-user': 'reader' } }
    const target = `${url}/${type}/a`
    const statuses = [
      await call(target, 'PUT', destination('a'), as.reader),
      await call(target, 'PUT', destination('a'), as.writer),
      await call(target, 'GET', undefined, as.reader),
      await call(`${target}/$status`, 'GET', undefined, as.writer),
      await call(`${target}/$status`, 'GET', undefined, as.reader),
    ].map(({ status }) => status)
    assert.deepEqual(statuses, [403, 201, 200, 200, 403])
    const entry = [{ request: { method: 'DELETE', url: `${type}/a` } }]
    const batch = { resourceType: 'Bundle', type: 'batch', entry }
    const { body } = await call(url, 'POST', batch, as.reader)
    assert.equal(body.entry?.[0]?.response?.status, '403')
    assert.deepEqual(asked, [
      `reader update ${type}/a`,
      `writer update ${type}/a`,
      `reader read ${type}/a`,
      `writer status ${type}/a`,
      // The recording module asks its host again.
      `writer status ${type}/a`,
      `reader status ${type}/a`,
      `reader delete ${type}/a`,
    ])
    assert.deepEqual(module.calls, ['GET a writer'])
  })

  it('asks authorize before it searches for a condition of an entry, or a conditional reference', async (t) => {
    const { url } = await ownTypesServer(t, {
      principalOf: ({ headers }) => ({ id: headers['x-user'] as string }),
      authorize: (principal) => {
        if (principal?.id === 'writer') return
        const text = 'Only the writer may know.'
        throw new OperationOutcomeError(errorOutcome('forbidden', 'forbidden', text))
      },
    })
    const canary = destination('canary')
    await call(`${url}/${type}/canary`, 'PUT', canary, { 'x-user': 'writer' })
    const conditional = (request: object, resource: object | undefined) => ({
      request,
      ...(resource ? { resource } : {}),
    })
    for (const entry of [
      conditional({ method: 'POST', url: type, ifNoneExist: '_id=canary' }, canary),
      conditional({ method: 'DELETE', url: `${type}?_id=canary` }, undefined),
      conditional({ method: 'DELETE', url: `${type}?_id=nothing` }, undefined),
      conditional({ method: 'PUT', url: `${type}?_id=canary` }, canary),
    ]) {
      for (const kind of ['batch', 'transaction']) {
        const bundle = { resourceType: 'Bundle', type: kind, entry: [entry] }
        const { status, body, text } = await call(url, 'POST', bundle, { 'x-user': 'reader' })
        const answered = kind === 'batch' ? body.entry?.[0]?.response?.status : String(status)
        assert.equal(answered, '403', text)
        assert.doesNotMatch(text, /kafkaTopic/)
      }
    }
  })

  it('logs what it could not foresee, and tells the client nothing of it', async (t) => {
    const logged: LogLine[] = []
    const { url, host } = await ownTypesServer(t, { logger: recordingLogger(logged) })
    host.addCommitHooks({
      beforeCommit: () => Promise.reject(new Error('secret')),
      afterCommit: () => Promise.resolve(),
      afterRollback: () => undefined,
    })
    const { status, text } = await call(`${url}/${type}`, 'POST', destination('a'))
    assert.equal(status, 500)
    assert.doesNotMatch(text, /secret/)
    const messages = logged.map(({ message }) => message)
    assert.deepEqual(messages, ['a request failed unexpectedly'])
    assert.equal((await call(`${url}/${type}/a`, 'GET')).status, 404)
  })

  it('does not announce a transaction that PostgreSQL has aborted', async (t) => {
    const { url, host, module } = await ownTypesServer(t)
    host.addCommitHooks({
      beforeCommit: async (_unit, tx) => {
        // A hook that swallows an error of a statement.
        await tx?.query('select nothing').catch(() => undefined)
      },
      afterCommit: () => Promise.resolve(),
      afterRollback: () => undefined,
    })
    assert.equal((await call(`${url}/${type}`, 'POST', destination('a'))).status, 500)
    assert.deepEqual(module.changes, [])
  })

  it('leaves nothing behind when a client goes away in the middle of a body', async (t) => {
    let finished: () => void
    const isFinished = new Promise<void>((resolve) => {
      finished = resolve
    })
    const { url } = await ownTypesServer(t, {}, (app, host) => {
      app.use('/fhir', async (request, response, next) => {
        await host.router(request, response, next)
        finished()
      })
    })
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    await once(socket, 'connect')
    socket.write(`POST /fhir/${type} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"a":`)
    socket.destroySoon()
    await isFinished
  })

  it('needs a base URL', () => {
    const pool = new Pool()
    assert.throws(() => new OwnTypesHost({ pool, baseUrl: '/fhir' }), {
      code: 'KTD_INVALID_OPTION',
    })
  })
})
