import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { Logger } from '../../../src/observability/logger.ts'
import { silentLogger } from '../../../src/observability/logger.ts'
import type { FhirServerModule } from '../../../src/host/types.ts'
import { createServer } from '../../../src/server/create-server.ts'
import { privatePostgres, testDatabase } from '../../helpers/postgres.ts'
import { destinationResource } from '../../helpers/topic-resources.ts'
import { call, callRaw, RecordingModule, testServer, type TestServer } from './http-server.ts'

const bodyLimitBytes = 64 * 1024

describe("a client's mistake", () => {
  let tested: TestServer
  let url: string
  before(async (t) => {
    tested = await testServer({ name: t.name }, { bodyLimitBytes })
    url = tested.url
  })
  after(async () => {
    await tested.server.close()
  })

  const json = { 'content-type': 'application/fhir+json' }
  const deep = (depth: number) => `${'{"extension":['.repeat(depth)}${']}'.repeat(depth)}`
  const cases: {
    what: string
    method: string
    path: string
    body?: string | Buffer
    headers?: Record<string, string>
    status: number
  }[] = [
    {
      what: 'malformed JSON',
      method: 'POST',
      path: 'Patient',
      body: '{"resourceType":"Patient",',
      status: 400,
    },
    { what: 'no body', method: 'POST', path: 'Patient', status: 400 },
    { what: 'an array', method: 'POST', path: 'Patient', body: '[]', status: 400 },
    { what: 'a string', method: 'PUT', path: 'Patient/a', body: '"x"', status: 400 },
    { what: 'null', method: 'PUT', path: 'Patient/a', body: 'null', status: 400 },
    {
      what: 'bytes that are no UTF-8',
      method: 'POST',
      path: 'Patient',
      body: Buffer.from([0x7b, 0xff, 0x7d]),
      status: 400,
    },
    { what: 'deep nesting', method: 'POST', path: 'Patient', body: deep(1000), status: 400 },
    {
      what: 'U+0000',
      method: 'POST',
      path: 'Patient',
      body: '{"name":[{"family":"a\\u0000b"}]}',
      status: 400,
    },
    {
      what: 'half a surrogate pair',
      method: 'POST',
      path: 'Patient',
      body: '{"name":[{"family":"\\ud83d"}]}',
      status: 400,
    },
    {
      what: 'an unknown element',
      method: 'POST',
      path: 'Patient',
      body: '{"nothing":1}',
      status: 400,
    },
    {
      what: 'an element of a wrong type',
      method: 'POST',
      path: 'Patient',
      body: '{"active":"yes"}',
      status: 400,
    },
    {
      what: 'a body over the limit',
      method: 'POST',
      path: 'Patient',
      body: ' '.repeat(bodyLimitBytes + 1),
      status: 413,
    },
    {
      what: 'a body that inflates over the limit',
      method: 'POST',
      path: 'Patient',
      body: gzipSync(' '.repeat(bodyLimitBytes + 1)),
      headers: { ...json, 'content-encoding': 'gzip' },
      status: 413,
    },
    {
      what: 'broken gzip',
      method: 'POST',
      path: 'Patient',
      body: 'x',
      headers: { ...json, 'content-encoding': 'gzip' },
      status: 400,
    },
    {
      what: 'an unknown encoding',
      method: 'POST',
      path: 'Patient',
      body: '{}',
      headers: { ...json, 'content-encoding': 'rot13' },
      status: 415,
    },
    { what: 'broken percent-encoding', method: 'GET', path: 'Patient/%zz', status: 400 },
    { what: 'an address outside the base', method: 'GET', path: '../other', status: 404 },
    { what: 'a slash in an id', method: 'GET', path: 'Patient/a%2Fb', status: 404 },
    { what: 'U+0000 in a query', method: 'GET', path: 'Patient?family=a%00b', status: 400 },
    { what: 'an unknown operation', method: 'GET', path: 'Patient/$nothing', status: 404 },
    {
      what: 'an unknown operation by POST',
      method: 'POST',
      path: 'Patient/$nothing',
      body: '{}',
      status: 404,
    },
    {
      what: 'a method that a path has not',
      method: 'POST',
      path: 'Patient/1',
      body: '{}',
      status: 405,
    },
    { what: 'a method unknown to FHIR', method: 'OPTIONS', path: 'Patient', status: 405 },
    { what: 'a search over all types', method: 'GET', path: '?_type=Patient', status: 405 },
    {
      what: 'a bundle of another type',
      method: 'POST',
      path: '',
      body: '{"resourceType":"Bundle","type":"collection"}',
      status: 400,
    },
    {
      what: 'no bundle',
      method: 'POST',
      path: '',
      body: '{"resourceType":"Patient"}',
      status: 400,
    },
    {
      what: 'a bundle with senseless entries',
      method: 'POST',
      path: '',
      body: '{"resourceType":"Bundle","type":"transaction","entry":[null,{},{"request":3}]}',
      status: 400,
    },
    {
      what: 'a patch of a missing resource',
      method: 'PATCH',
      path: 'Patient/none',
      body: '[]',
      status: 404,
    },
    { what: 'a patch that is none', method: 'PATCH', path: 'Patient/none', body: '3', status: 400 },
    {
      what: 'an entity tag that names no version',
      method: 'DELETE',
      path: 'Patient/a',
      headers: { 'if-match': '*' },
      status: 400,
    },
    { what: 'a bad count', method: 'GET', path: 'Patient?_count=many', status: 400 },
    { what: 'a negative count', method: 'GET', path: 'Patient?_count=-1', status: 400 },
    { what: 'a bad date', method: 'GET', path: 'Patient?_lastUpdated=gtnever', status: 400 },
    { what: 'a bad sort', method: 'GET', path: 'Patient?_sort=nothing', status: 400 },
    { what: 'a bad include', method: 'GET', path: 'Patient?_include=x', status: 400 },
    {
      what: 'a number for an operation',
      method: 'POST',
      path: 'AidboxTopicDestination/$validate',
      body: '3',
      status: 400,
    },
  ]
  for (const { what, method, path, body, headers = json, status } of cases) {
    it(`${what} answers ${status} with an OperationOutcome`, async () => {
      const target = path === '../other' ? '/other' : `/fhir/${path}`.replace('/fhir/?', '/fhir?')
      const answer = await callRaw(url, method, target, {
        headers,
        ...(body === undefined ? {} : { body }),
      })
      assert.equal(answer.status, status, answer.text)
      const outcome = JSON.parse(answer.text) as {
        resourceType: string
        issue: { severity: string }[]
      }
      assert.equal(outcome.resourceType, 'OperationOutcome')
      assert.equal(outcome.issue[0]?.severity, 'error')
      assert.match(String(answer.headers['content-type']), /^application\/fhir\+json/)
    })
  }

  it('in a destination answers 422, names the element and stores nothing', async () => {
    const resource = destinationResource(
      'bad',
      'kafka-at-least-once',
      'any',
      'events',
      'localhost:9092',
      {
        parameter: [{ name: 'nothing', valueString: 'x' }],
      },
    )
    const { status, body } = await call(`${url}/AidboxTopicDestination/bad`, 'PUT', resource)
    assert.equal(status, 422)
    assert.match(
      body.issue?.flatMap(({ expression }) => expression ?? []).join() ?? '',
      /parameter/,
    )
    assert.equal((await call(`${url}/AidboxTopicDestination/bad`, 'GET')).status, 404)
  })

  it('in HTTP itself is answered too', async () => {
    const { hostname, port } = new URL(url)
    const text = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => socket.write('this is no HTTP\r\n\r\n'))
      let received = ''
      socket.on('data', (chunk) => (received += chunk.toString()))
      socket.on('end', () => {
        resolve(received)
      })
      socket.on('error', reject)
    })
    assert.match(text, /^HTTP\/1\.1 400 /)
    assert.match(text, /"OperationOutcome"/)
  })
})

describe("an interaction that a type doesn't offer", () => {
  it('answers 405 with Allow, and in bundles too', async (t) => {
    const { connectionString } = await testDatabase(t)
    const recording = new RecordingModule()
    const module: FhirServerModule = {
      name: 'immutable',
      register: (host) => {
        recording.register({
          capabilities: host.capabilities,
          registerResourceType: (type) => {
            host.registerResourceType({
              ...type,
              interactions: ['create', 'read', 'delete', 'search-type'],
            })
          },
          registerOperation: (operation) => {
            host.registerOperation(operation)
          },
          addCommitHooks: () => undefined,
          list: async (type) => host.list(type),
          read: async (references, tx) => host.read(references, tx),
        })
      },
      start: () => recording.start(),
      stop: () => recording.stop(),
      [Symbol.asyncDispose]: () => recording.stop(),
    }
    const server = await createServer({ databaseUrl: connectionString, modules: [module] })
    t.after(() => server.close())
    const url = await server.listen()
    const resource = destinationResource(
      'fixed',
      'kafka-best-effort',
      'any',
      'events',
      'localhost:9092',
    )
    assert.equal((await call(`${url}/AidboxTopicDestination`, 'POST', resource)).status, 201)
    const put = await call(`${url}/AidboxTopicDestination/fixed`, 'PUT', resource)
    assert.equal(put.status, 405)
    assert.equal(put.headers.get('allow'), 'GET, DELETE')
    assert.equal(put.body.resourceType, 'OperationOutcome')
    for (const path of [
      'AidboxTopicDestination/fixed/_history',
      'AidboxTopicDestination/fixed/_history/1',
    ]) {
      assert.equal((await call(`${url}/${path}`, 'GET')).status, 405, path)
    }
    const batch = await call(url, 'POST', {
      resourceType: 'Bundle',
      type: 'batch',
      entry: [
        { resource, request: { method: 'PUT', url: 'AidboxTopicDestination/fixed' } },
        { request: { method: 'DELETE', url: 'AidboxTopicDestination/never' } },
      ],
    })
    assert.deepEqual(
      batch.body.entry?.map(({ response }) => response?.status.slice(0, 3)),
      ['405', '204'],
    )
  })
})

describe('an error of the server', () => {
  it('answers 500 without internals, and the log has the request id but no content', async (t) => {
    const lines: { fields: object; message: string }[] = []
    const logger: Logger = {
      ...silentLogger,
      error: (fields, message) => {
        lines.push({ fields, message })
      },
    }
    const { server, module, url } = await testServer(t, { logger })
    module.host?.addCommitHooks({
      beforeCommit: () => Promise.reject(new TypeError('secret-of-jane-doe')),
      afterCommit: () => Promise.resolve(),
      afterRollback: () => undefined,
    })
    const answer = await call(`${url}/Patient`, 'POST', {
      resourceType: 'Patient',
      name: [{ family: 'jane-doe' }],
    })
    assert.equal(answer.status, 500, answer.text)
    assert.equal(answer.body.resourceType, 'OperationOutcome')
    assert.doesNotMatch(answer.text, /jane-doe|TypeError|node_modules|\.ts/)
    const requestId = answer.headers.get('x-request-id')
    const logged = JSON.stringify(lines)
    assert.ok(requestId && logged.includes(requestId))
    assert.match(logged, /TypeError/)
    assert.doesNotMatch(logged, /jane-doe/)
    assert.equal((await call(`${url}/Patient`, 'GET')).body.total, 0)
    await server.close()
  })

  it('database away: 503 with Retry-After, and recovery by itself', async (t) => {
    const postgres = await privatePostgres(t)
    const server = await createServer({ databaseUrl: postgres.connectionString })
    t.after(() => server.close())
    const url = await server.listen()
    const created = await call(`${url}/Patient`, 'POST', { resourceType: 'Patient' })
    assert.equal(created.status, 201)
    await postgres.kill()
    const target = `${url}/Patient/${created.body.id}`
    const transaction = {
      resourceType: 'Bundle',
      type: 'transaction',
      entry: [
        { resource: { resourceType: 'Patient' }, request: { method: 'POST', url: 'Patient' } },
      ],
    }
    for (const [method, path, body] of [
      ['GET', target, undefined],
      ['POST', `${url}/Patient`, { resourceType: 'Patient' }],
      ['GET', `${url}/Patient`, undefined],
      ['POST', url, transaction],
    ] as const) {
      const { status, headers, body: outcome, text } = await call(path, method, body)
      assert.equal(status, 503, `${method} ${path} ${text}`)
      assert.match(headers.get('retry-after') ?? '', /^\d+$/)
      assert.equal(outcome.resourceType, 'OperationOutcome')
      assert.doesNotMatch(text, /ECONN|127\.0\.0\.1|postgres/)
    }
    assert.equal((await call(`${url}/metadata`, 'GET')).status, 200)
    await postgres.start()
    for (const deadlineMs = Date.now() + 30_000; ;) {
      const { status, text } = await call(target, 'GET')
      if (status === 200) break
      assert.ok(Date.now() < deadlineMs, text)
    }
    assert.equal((await call(`${url}/Patient`, 'POST', { resourceType: 'Patient' })).status, 201)
  })
})
