import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import express, { type Express } from 'express'
import type { ExpressHost } from '../../../src/http/express.ts'
import { destinationResource, topicResource } from '../../helpers/topic-resources.ts'
import { call, callRaw, type Answer } from '../server/http-server.ts'
import { ownTypesServer, type OwnTypesServer } from './own-types-server.ts'

const type = 'AidboxTopicDestination'
const destination = (id: string, more: object = {}) =>
  destinationResource(id, 'kafka-at-least-once', 'any', 'events', 'localhost:9092', more)

/** Where the host's own parser may stand. */
const parsers: Readonly<Record<string, (app: Express, host: ExpressHost) => void>> = {
  'without a body parser': (app, host) => {
    app.use('/fhir', host.router)
  },
  'behind express.json()': (app, host) => {
    app.use(express.json({ type: ['application/json', 'application/*+json'] }))
    app.use(express.urlencoded())
    app.use('/fhir', host.router)
  },
  'behind express.raw()': (app, host) => {
    app.use(express.raw({ type: () => true }))
    app.use('/fhir', host.router)
  },
}

for (const [name, around] of Object.entries(parsers)) {
  describe(`the router of expressHost ${name}`, () => {
    let server: OwnTypesServer
    let url: string
    before(async (t) => {
      server = await ownTypesServer({ name: t.name }, {}, around)
      url = server.url
    })
    after(() => {
      server.close()
    })
    const create = (resource: object, headers = {}): Promise<Answer> =>
      call(`${url}/${type}`, 'POST', resource, headers)

    it('creates with the id of the body: 201, Location, ETag, Last-Modified, the whole body', async () => {
      const { status, headers, body, text } = await create(destination('posted'))
      assert.equal(status, 201, text)
      assert.equal(headers.get('location'), `${url}/${type}/posted/_history/1`)
      assert.equal(headers.get('etag'), 'W/"1"')
      assert.equal(
        Date.parse(headers.get('last-modified') ?? ''),
        Math.floor(Date.parse(body.meta?.lastUpdated ?? '') / 1000) * 1000,
      )
      assert.match(headers.get('content-type') ?? '', /^application\/fhir\+json/)
      assert.equal((await call(headers.get('location') ?? '', 'GET')).text, text)
      const { id: _, ...anonymous } = destination('none')
      assert.match((await create(anonymous)).body.id ?? '', /^[0-9a-f-]{36}$/)
      assert.equal((await create(destination('posted'))).status, 409)
    })

    it('updates: 201 when it creates, 200 after that, 412 by If-Match; nothing changes, nothing is written', async () => {
      const target = `${url}/${type}/put`
      const { resourceType: _, ...typeless } = destination('put')
      const first = await call(target, 'PUT', typeless)
      assert.deepEqual([first.status, first.body.resourceType], [201, type], first.text)
      const off = { ...destination('put'), status: 'off' }
      const stale = await call(target, 'PUT', off, { 'if-match': 'W/"7"' })
      const second = await call(target, 'PUT', off, { 'if-match': '"1"' })
      const third = await call(target, 'PUT', off)
      assert.deepEqual([stale.status, second.status, third.status], [412, 200, 200])
      assert.deepEqual([second.body.meta?.versionId, third.body.meta?.versionId], ['2', '2'])
      assert.equal((await call(`${target}x`, 'PUT', destination('put'))).status, 400)
      assert.equal((await create(topicResource('x', { resource: 'Patient' }))).status, 400)
    })

    for (const { kind, contentType, body } of [
      {
        kind: 'JSON Patch',
        contentType: 'application/json-patch+json',
        body: [{ op: 'add', path: '/status', value: 'off' }],
      },
      { kind: 'merge patch', contentType: 'application/json', body: { status: 'off' } },
      {
        kind: 'merge patch',
        contentType: 'application/merge-patch+json',
        body: { status: 'off' },
      },
      {
        kind: 'FHIRPath Patch',
        contentType: 'application/fhir+json',
        body: {
          resourceType: 'Parameters',
          parameter: [
            {
              name: 'operation',
              part: [
                { name: 'type', valueCode: 'add' },
                { name: 'path', valueString: type },
                { name: 'name', valueString: 'status' },
                { name: 'value', valueCode: 'off' },
              ],
            },
          ],
        },
      },
    ]) {
      it(`patches by ${kind} as ${contentType}`, async () => {
        const { body: created } = await create({ ...destination(''), id: undefined })
        const patched = await call(`${url}/${type}/${created.id}`, 'PATCH', body, {
          'content-type': contentType,
        })
        assert.equal(patched.status, 200, patched.text)
        assert.equal(patched.body['status'], 'off')
        assert.deepEqual(patched.body['parameter'], created['parameter'])
        assert.equal(patched.body.meta?.versionId, '2')
      })
    }

    it('deletes: 204, also what never was; 404 for reading it; vread and history go on', async () => {
      await create(destination('gone'))
      const target = `${url}/${type}/gone`
      assert.equal((await callRaw(url, 'DELETE', `/fhir/${type}/gone`)).status, 204)
      assert.equal((await call(target, 'GET')).status, 404)
      assert.equal((await call(`${target}/$status`, 'GET')).status, 404)
      assert.equal((await call(`${url}/${type}/never`, 'DELETE')).status, 204)
      assert.equal((await call(`${target}/_history/1`, 'GET')).body.id, 'gone')
      const again = await call(target, 'PUT', destination('gone'))
      assert.deepEqual([again.status, again.body.meta?.versionId], [201, '3'])
      const history = await call(`${target}/_history?_count=2`, 'GET')
      assert.deepEqual([history.body.type, history.body.total], ['history', 3])
      const entries = history.body['entry'] as { request: { method: string } }[]
      assert.deepEqual(
        entries.map(({ request }) => request.method),
        ['PUT', 'DELETE'],
      )
    })

    it('creates under a condition, by If-None-Exist or a query', async () => {
      const body = destination('once')
      const forms = [
        () => create(body, { 'if-none-exist': '_id=once' }),
        () => create(body, { 'if-none-exist': `${url}/${type}?_id=once` }),
        () => call(`${url}/${type}?_id=once&_format=json`, 'POST', body),
      ]
      const statuses = []
      for (const form of forms) statuses.push((await form()).status)
      assert.deepEqual(statuses, [201, 200, 200])
      const several = await create(body, { 'if-none-exist': 'topic=http://example.org/topic/any' })
      assert.equal(several.status, 412, several.text)
      assert.equal((await create(body, { 'if-none-exist': '' })).status, 400)
    })

    it('writes under a condition: update, patch, delete by query', async () => {
      const query = 'topic=http://example.org/topic/by-query'
      const target = `${url}/${type}?${query}`
      const written = { ...destination('q'), topic: 'http://example.org/topic/by-query' }
      assert.equal((await call(target, 'PATCH', { status: 'off' })).status, 404)
      const { id: _, ...anonymous } = written
      assert.equal((await call(target, 'PUT', anonymous)).status, 201)
      assert.equal((await call(target, 'PATCH', { status: 'off' })).body['status'], 'off')
      assert.equal((await call(target, 'PUT', anonymous)).status, 200)
      assert.equal((await create(written)).status, 201)
      assert.equal((await call(target, 'DELETE')).status, 412)
      assert.equal((await call(`${target}&_id=q`, 'DELETE')).status, 204)
      assert.equal((await call(`${url}/${type}`, 'DELETE')).status, 400)
      await create(written)
      const all = { 'x-conditional-delete': 'remove-all' }
      assert.equal((await call(target, 'DELETE', undefined, all)).status, 204)
      assert.equal((await call(target, 'GET')).body.total, 0)
    })

    it('searches by GET and POST _search, with pages, total and links', async () => {
      const topic = 'http://example.org/topic/searched'
      for (const id of ['s1', 's2', 's3']) await create(destination(id, { topic, status: 'off' }))
      const form = { 'content-type': 'application/x-www-form-urlencoded' }
      const query = `topic=${topic}&status=off&kind=kafka-at-least-once`
      for (const found of [
        await call(`${url}/${type}?${query}`, 'GET'),
        await call(`${url}/${type}/_search`, 'POST', query, form),
        await call(`${url}/${type}/_search?${query}`, 'POST', '', form),
      ]) {
        assert.deepEqual([found.status, found.body.total], [200, 3], found.text)
      }
      const ids: unknown[] = []
      let next: string | undefined = `${url}/${type}?topic=${topic}&_count=2`
      while (next !== undefined) {
        const { body } = await call(next, 'GET')
        ids.push(...(body.entry ?? []).map(({ resource }) => resource?.id))
        next = body.link?.find(({ relation }) => relation === 'next')?.url
      }
      assert.deepEqual(ids, ['s1', 's2', 's3'])
      const none = await call(`${url}/${type}?_id=s1,s3,none&_count=0`, 'GET')
      assert.deepEqual([none.body.total, none.body.entry], [2, undefined])
      const sorted = await call(`${url}/${type}?_id=s1,s3&_sort=-_id&_count=1`, 'GET')
      assert.equal(sorted.body.entry?.[0]?.resource?.id, 's3')
      for (const unknown of ['nothing=1', 'topic:below=x', '_id=', '_sort=nothing', '_count=-1']) {
        const { status, body } = await call(`${url}/${type}?${unknown}`, 'GET')
        assert.deepEqual([status, body.resourceType], [400, 'OperationOutcome'], unknown)
      }
    })

    it('stores exactly what was sent, and masks plain secrets', async () => {
      const sent = {
        ...destination('exact'),
        parameter: [
          { name: 'batchSize', valueUnsignedInt: 100 },
          { name: 'kafkaTopic', valueString: 'events' },
          { name: 'bootstrapServers', valueUrl: 'localhost:9092' },
          { name: 'saslMechanism', valueString: 'PLAIN' },
          { name: 'securityProtocol', valueString: 'SASL_SSL' },
        ],
        includeEntryAction: true,
        content: 'id-only',
      }
      const secret = {
        name: 'saslJaasConfig',
        valueString:
          'org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="p";',
      }
      const put = await call(`${url}/${type}/exact`, 'PUT', {
        ...sent,
        parameter: [...sent.parameter, secret],
      })
      assert.equal(put.status, 201, put.text)
      const { text, body } = await call(`${url}/${type}/exact`, 'GET')
      assert.ok(!text.includes('password'))
      const { meta, parameter, ...rest } = body
      const { meta: _meta, parameter: sentParameter, ...sentRest } = sent as Answer['body']
      assert.equal(JSON.stringify(rest), JSON.stringify(sentRest))
      assert.equal(
        JSON.stringify((parameter as object[]).slice(0, -1)),
        JSON.stringify(sentParameter),
      )
      assert.deepEqual(Object.keys(meta ?? {}), ['profile', 'versionId', 'lastUpdated'])
      // The masked form written back keeps the secret, and is no change.
      assert.equal((await call(`${url}/${type}/exact`, 'PUT', body)).body.meta?.versionId, '1')
      assert.match(JSON.stringify(await server.host.list(type)), /password=/)
    })

    it('answers operations by GET and POST, with their names percent-encoded too, and 405 or 404 else', async () => {
      await create(destination('op'))
      for (const path of ['$status', '%24status', '%24st%61tus']) {
        const { status, text } = await callRaw(url, 'GET', `/fhir/${type}/op/${path}?_format=json`)
        assert.equal(status, 200, text)
      }
      for (const body of [undefined, {}, { resourceType: 'Parameters' }]) {
        assert.equal((await call(`${url}/${type}/op/$status`, 'POST', body)).status, 200)
      }
      for (const method of ['HEAD', 'PUT', 'DELETE', 'PATCH']) {
        const { status, headers } = await callRaw(url, method, `/fhir/${type}/op/$status`)
        assert.deepEqual([status, headers['allow']], [405, 'GET, POST'], method)
      }
      for (const path of ['op/$nothing', '$status', 'op/1/2', 'none/$status', 'op/_history/9']) {
        assert.equal((await call(`${url}/${type}/${path}`, 'GET')).status, 404, path)
      }
      const valid = await call(`${url}/${type}/$validate`, 'POST', destination('v'))
      assert.equal(valid.body.issue?.[0]?.severity, 'information', valid.text)
      const stored = await call(`${url}/${type}/op/$validate`, 'POST')
      assert.equal(stored.body.issue?.[0]?.severity, 'information', stored.text)
    })

    it('answers 304, and without a body when Prefer says so', async () => {
      const minimal = await create(destination('minimal'), { prefer: 'return=minimal' })
      assert.deepEqual([minimal.status, minimal.text], [201, ''])
      for (const tag of ['"1"', 'W/"1"', '1']) {
        const read = await call(`${url}/${type}/minimal`, 'GET', undefined, {
          'if-none-match': tag,
        })
        assert.deepEqual([read.status, read.text], [304, ''])
      }
      const head = await callRaw(url, 'HEAD', `/fhir/${type}/minimal`)
      assert.deepEqual([head.status, head.headers['etag'], head.text], [200, 'W/"1"', ''])
    })

    it('refuses with 422 what the module refuses, naming the element', async () => {
      const { status, body } = await create({ ...destination('bad'), kind: 'nothing' })
      assert.equal(status, 422)
      assert.match(body.issue?.[0]?.expression?.[0] ?? '', /^AidboxTopicDestination\./)
    })

    it('processes a batch that replaces by DELETE and POST, the first time too', async () => {
      const entry = [
        { request: { method: 'DELETE', url: `/${type}/init` } },
        { request: { method: 'POST', url: type }, resource: destination('init') },
      ]
      for (const path of ['/fhir', '/fhir/']) {
        const { status, text } = await callRaw(url, 'POST', path, {
          body: JSON.stringify({ resourceType: 'Bundle', type: 'batch', entry }),
          headers: { 'content-type': 'application/fhir+json' },
        })
        assert.equal(status, 200, text)
        const { entry: answers } = JSON.parse(text) as Answer['body']
        assert.deepEqual(
          answers?.map(({ response }) => response?.status),
          ['204', '201'],
          text,
        )
      }
      assert.equal((await call(`${url}/${type}/init`, 'GET')).body.meta?.versionId, '3')
    })

    it('processes a transaction as a whole', async () => {
      const transaction = (...resources: { resourceType: string; id: string }[]) =>
        call(url, 'POST', {
          resourceType: 'Bundle',
          type: 'transaction',
          entry: resources.map((resource) => ({
            request: { method: 'PUT', url: `${resource.resourceType}/${resource.id}` },
            resource,
          })),
        })
      const topic = topicResource('whole', { resource: 'Patient' })
      const refused = await transaction(topic, destination('whole', { kind: 'nothing' }))
      assert.equal(refused.status, 422, refused.text)
      assert.match(refused.body.issue?.[0]?.expression?.[0] ?? '', /^Bundle\.entry\[1\]\.resource/)
      assert.equal((await call(`${url}/AidboxSubscriptionTopic/whole`, 'GET')).status, 404)
      const earlier = server.module.changes.length
      const done = await transaction(topic, destination('whole'))
      assert.deepEqual([done.status, done.body.type], [200, 'transaction-response'], done.text)
      const changes = server.module.changes.slice(earlier)
      assert.deepEqual(
        changes.map(({ interaction, resourceType }) => `${interaction} ${resourceType}`).toSorted(),
        ['create AidboxSubscriptionTopic', 'create AidboxTopicDestination'],
      )
    })
  })
}

describe('a body', () => {
  it('that is no JSON, too large, or in an unknown encoding is refused', async (t) => {
    const { url } = await ownTypesServer(t, { bodyLimitBytes: 2_000 })
    const post = (body: string | Buffer, headers: Record<string, string> = {}) =>
      callRaw(url, 'POST', `/fhir/${type}`, {
        body,
        headers: { 'content-type': 'application/json', ...headers },
      })
    const text = JSON.stringify(destination('zipped'))
    const statuses = [
      await post('{"a":'),
      await post(JSON.stringify({ text: 'x'.repeat(3_000) })),
      await post(gzipSync(JSON.stringify({ text: 'x'.repeat(3_000) })), {
        'content-encoding': 'gzip',
      }),
      await post(gzipSync(text).subarray(0, 40), { 'content-encoding': 'gzip' }),
      await post(text, { 'content-encoding': 'lzw' }),
      await post(text, { 'content-type': 'application/fhir+xml' }),
      await post(gzipSync(text), { 'content-encoding': 'gzip' }),
    ].map(({ status, text: answer }) => [status, /OperationOutcome|zipped/.test(answer)])
    assert.deepEqual(
      statuses,
      [400, 413, 413, 400, 415, 415, 201].map((status) => [status, true]),
    )
  })
})

describe('links to further pages', () => {
  it('have the host and port that the client used, also through a trusted proxy', async (t) => {
    const { url } = await ownTypesServer(t, {}, (app, host) => {
      app.set('trust proxy', 'loopback')
      app.use('/fhir', host.router)
    })
    for (const id of ['a', 'b']) await call(`${url}/${type}/${id}`, 'PUT', destination(id))
    const nextOf = async (headers: Record<string, string>) => {
      const { text } = await callRaw(url, 'GET', `/fhir/${type}?_count=1`, { headers })
      const { link } = JSON.parse(text) as Answer['body']
      return link?.find(({ relation }) => relation === 'next')?.url.split('?')[0]
    }
    const { port } = new URL(url)
    assert.equal(
      await nextOf({ host: `localhost:${port}` }),
      `http://localhost:${port}/fhir/${type}`,
    )
    const forwarded = {
      'x-forwarded-host': 'fhir.example.org:8443',
      'x-forwarded-proto': 'https',
    }
    assert.equal(await nextOf(forwarded), `https://fhir.example.org:8443/fhir/${type}`)
  })
})

describe('what is the host’s own', () => {
  it('goes on to it: other types, other paths, bundles of other types, with the body', async (t) => {
    const seen: string[] = []
    const { url } = await ownTypesServer(t, {}, (app, host) => {
      app.use('/fhir', host.router)
      app.use(express.json({ type: ['application/json', 'application/*+json'] }))
      app.use((request, response) => {
        seen.push(`${request.method} ${request.originalUrl} ${JSON.stringify(request.body)}`)
        response.json({})
      })
    })
    const mixed = {
      resourceType: 'Bundle',
      type: 'transaction',
      entry: [
        { request: { method: 'PUT', url: `${type}/a` }, resource: destination('a') },
        { request: { method: 'POST', url: 'Patient' }, resource: { resourceType: 'Patient' } },
      ],
    }
    const patient = { resourceType: 'Patient' }
    await call(`${url}/Patient`, 'POST', patient)
    await call(`${url}/metadata`, 'GET')
    await call(url, 'POST', mixed)
    await call(url, 'POST', { resourceType: 'Bundle', type: 'batch', entry: [] })
    await call(url, 'GET')
    await call(`${url}/%zz`, 'GET')
    assert.deepEqual(seen, [
      `POST /fhir/Patient ${JSON.stringify(patient)}`,
      'GET /fhir/metadata undefined',
      `POST /fhir ${JSON.stringify(mixed)}`,
      'POST /fhir {"resourceType":"Bundle","type":"batch","entry":[]}',
      'GET /fhir undefined',
      'GET /fhir/%zz undefined',
    ])
  })
})

describe('interactions that a type does not offer', () => {
  it('answer 405 with Allow, in bundles too', async (t) => {
    const { url, host } = await ownTypesServer(t, {}, (app, { router }) => {
      app.use('/fhir', router)
    })
    const { topicDestinationType } =
      await import('../../../src/resources/topic-destination-type.ts')
    const { loadSecretSource } = await import('../../../src/resources/secrets.ts')
    const definition = topicDestinationType({ secrets: loadSecretSource() })
    host.registerResourceType({
      ...definition,
      interactions: definition.interactions.filter((one) => one !== 'update' && one !== 'patch'),
    })
    await call(`${url}/${type}`, 'POST', destination('fixed'))
    for (const method of ['PUT', 'PATCH']) {
      const { status, headers, body } = await call(`${url}/${type}/fixed`, method, {})
      assert.deepEqual([status, headers.get('allow')], [405, 'GET, DELETE'], method)
      assert.equal(body.issue?.[0]?.code, 'not-supported')
    }
    const batch = await call(url, 'POST', {
      resourceType: 'Bundle',
      type: 'batch',
      entry: [{ request: { method: 'PUT', url: `${type}/fixed` }, resource: destination('fixed') }],
    })
    assert.equal(batch.body.entry?.[0]?.response?.status, '405')
  })
})
