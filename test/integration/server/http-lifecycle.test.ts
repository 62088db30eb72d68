import assert from 'node:assert/strict'
import { request } from 'node:http'
import { describe, it } from 'node:test'
import { createServer } from '../../../src/server/create-server.ts'
import { testDatabase } from '../../helpers/postgres.ts'
import { call, RecordingModule, testServer } from './http-server.ts'

const patient = { resourceType: 'Patient', name: [{ family: 'x' }] }

describe('the life of the server', () => {
  it('knows its url at once, answers 503 until listen(), and starts and stops its modules once', async (t) => {
    const { connectionString } = await testDatabase(t)
    const server = await createServer({ databaseUrl: connectionString })
    t.after(() => server.close())
    const module = new RecordingModule()
    server.load(module)
    const early = await call(`${server.url}/metadata`, 'GET')
    assert.equal(early.status, 503)
    assert.ok(early.headers.get('retry-after'))
    const [url, again] = await Promise.all([server.listen(), server.listen()])
    assert.deepEqual([url, again], [server.url, server.url])
    assert.equal((await call(`${url}/metadata`, 'GET')).status, 200)
    assert.throws(() => {
      server.load(new RecordingModule())
    }, /before listen/)
    await Promise.all([server.close(), server.close()])
    assert.deepEqual(module.life, ['start', 'stop'])
    await assert.rejects(call(`${url}/metadata`, 'GET'))
  })

  it('keeps what was written over a restart', async (t) => {
    const { connectionString } = await testDatabase(t)
    const first = await createServer({ databaseUrl: connectionString })
    const { body } = await call(`${await first.listen()}/Patient`, 'POST', patient)
    await first.close()
    const second = await createServer({ databaseUrl: connectionString })
    t.after(() => second.close())
    assert.deepEqual((await call(`${await second.listen()}/Patient/${body.id}`, 'GET')).body, body)
  })

  it('close() lets a request in flight finish before the modules stop', async (t) => {
    const { server, module, url } = await testServer(t)
    let release = (): void => undefined
    const reached = new Promise<void>((entered) => {
      module.host?.addCommitHooks({
        beforeCommit: async () => {
          entered()
          await new Promise<void>((resolve) => (release = resolve))
          assert.deepEqual(module.life, ['start'])
        },
        afterCommit: () => Promise.resolve(),
        afterRollback: () => undefined,
      })
    })
    const writing = call(`${url}/Patient`, 'POST', patient)
    await reached
    const closing = server.close(30_000)
    await assert.rejects(call(`${url}/Patient`, 'POST', patient), 'a new connection is refused')
    release()
    const answer = await writing
    assert.equal(answer.status, 201, answer.text)
    assert.equal(answer.headers.get('connection'), 'close')
    await closing
    assert.deepEqual(module.life, ['start', 'stop'])
  })

  it('close() cuts a request that does not finish within the deadline', async (t) => {
    const { server, url } = await testServer(t)
    const { hostname, port } = new URL(url)
    const headers = {
      'content-type': 'application/json',
      'content-length': '100',
      expect: '100-continue',
    }
    const cut = new Promise<Error>((resolve) => {
      const unfinished = request({ hostname, port, method: 'POST', path: '/fhir/Patient', headers })
      unfinished.on('error', resolve)
      unfinished.once('continue', () => {
        unfinished.write('{')
        void server.close(50)
      })
      unfinished.flushHeaders()
    })
    assert.match((await cut).message, /socket hang up|ECONNRESET/)
    await server.close()
  })

  it('uses the configured base URL for Location', async (t) => {
    const { url, server } = await testServer(t, { baseUrl: 'https://fhir.example.org/fhir/' })
    assert.equal(url, 'https://fhir.example.org/fhir')
    await server.close()
  })

  it('reads and lists for its modules, as stored, also in the transaction of a hook', async (t) => {
    const { module, url } = await testServer(t)
    const host = module.host
    assert.ok(host)
    const { body } = await call(`${url}/Patient`, 'POST', patient)
    const gone = await call(`${url}/Patient`, 'POST', patient)
    await call(`${url}/Patient/${gone.body.id}`, 'DELETE')
    const references = [
      `Patient/${body.id}`,
      `Patient/${gone.body.id}`,
      'Patient/none',
      'Encounter/none',
      'x',
      '#contained',
    ]
    const read = await host.read(references)
    assert.deepEqual([...read], [[`Patient/${body.id}`, body]])
    assert.deepEqual(await host.read([]), new Map())
    assert.deepEqual(
      (await host.list('Patient')).map(({ id }) => id),
      [body.id],
    )
    assert.deepEqual(await host.list('AidboxTopicDestination'), [])

    let seen: unknown
    host.addCommitHooks({
      beforeCommit: async ({ changes: [change] }, tx) => {
        seen = (await host.read([`Patient/${change?.id}`], tx)).get(`Patient/${change?.id}`)
        const outside = await host.read([`Patient/${change?.id}`])
        assert.equal(outside.size, 0)
      },
      afterCommit: () => Promise.resolve(),
      afterRollback: () => undefined,
    })
    const inside = await call(`${url}/Patient`, 'POST', patient)
    assert.equal(inside.status, 201, inside.text)
    assert.deepEqual(seen, inside.body)
  })

  it('refuses options out of range, and a port that is taken', async () => {
    const databaseUrl = 'postgres://127.0.0.1:1/never'
    await assert.rejects(createServer({}), { code: 'KTD_INVALID_OPTION' })
    await assert.rejects(createServer({ databaseUrl, port: 70_000 }), {
      code: 'KTD_INVALID_OPTION',
    })
    await assert.rejects(createServer({ databaseUrl, bodyLimitBytes: 0 }), {
      code: 'KTD_INVALID_OPTION',
    })
    await assert.rejects(createServer({ databaseUrl, baseUrl: 'fhir' }), {
      code: 'KTD_INVALID_OPTION',
    })
    const server = await createServer({ databaseUrl })
    const port = Number(new URL(server.url).port)
    await assert.rejects(createServer({ databaseUrl, port }), { code: 'EADDRINUSE' })
    await server.close()
  })
})
