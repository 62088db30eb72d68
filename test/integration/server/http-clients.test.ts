import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  destinationResource,
  topicResource,
  type TestResource,
} from '../../helpers/topic-resources.ts'
import { call, callRaw, testServer, type TestServer } from './http-server.ts'

const destination = (id: string) =>
  destinationResource(id, 'kafka-at-least-once', 'any', 'events', 'localhost:9092')
const patient = (family: string) => ({ resourceType: 'Patient', name: [{ family }] })

interface ServedType {
  readonly type: string
  readonly supportedProfile?: readonly string[]
  readonly documentation?: string
  readonly interaction: readonly { readonly code: string }[]
  readonly searchParam: readonly { readonly name: string }[]
  readonly operation: readonly { readonly name: string }[]
}

/** Each item is something that an existing FHIR client was seen to send or to need. */
describe('the HTTP API, as existing clients use it', () => {
  let tested: TestServer
  let url: string
  before(async (t) => {
    tested = await testServer({ name: t.name })
    url = tested.url
  })
  after(async () => {
    await tested.server.close()
  })
  const create = (resource: object, headers = {}) =>
    call(`${url}/${(resource as { resourceType: string }).resourceType}`, 'POST', resource, headers)

  describe('addresses', () => {
    for (const path of ['/fhir/', '//fhir/', '/fhir', '//fhir']) {
      it(`serves below ${path}`, async () => {
        const { status, text } = await callRaw(
          url,
          'GET',
          `${path}/metadata?_format=json&mode=full`,
        )
        assert.equal(status, 200)
        assert.match(text, /"CapabilityStatement"/)
      })

      it(`takes batches and transactions at ${path}`, async () => {
        for (const type of ['batch', 'transaction']) {
          const entry = [
            { resource: patient('Bundle'), request: { method: 'POST', url: 'Patient' } },
          ]
          const { status, text } = await callRaw(url, 'POST', path, {
            body: JSON.stringify({ resourceType: 'Bundle', type, entry }),
            headers: { 'content-type': 'application/fhir+json' },
          })
          assert.equal(status, 200, text)
          assert.match(text, new RegExp(`"${type}-response"`))
        }
      })
    }

    it('takes entry urls with or without a leading slash, with a query, and urn:uuid references', async () => {
      const fullUrl = 'urn:uuid:6f4f0b9e-5b39-4a3f-9f43-2a2e9a1f7a10'
      const answer = await call(url, 'POST', {
        resourceType: 'Bundle',
        type: 'transaction',
        entry: [
          { fullUrl, resource: patient('Urn'), request: { method: 'POST', url: '/Patient' } },
          {
            resource: {
              resourceType: 'Encounter',
              status: 'finished',
              class: { code: 'AMB' },
              subject: { reference: fullUrl },
            },
            request: { method: 'POST', url: 'Encounter' },
          },
          { request: { method: 'GET', url: '/Patient?family=Urn&_format=json' } },
        ],
      })
      assert.equal(answer.status, 200, answer.text)
      const [created, encounter, found] = answer.body.entry ?? []
      assert.match(created?.response?.status ?? '', /^201/)
      const location = encounter?.response?.location ?? ''
      const [type, id] = location.replace(/^.*\/(?=Encounter\/)/, '').split('/')
      const { body } = await call(`${url}/${type}/${id}`, 'GET')
      const patientId = /Patient\/([^/]+)/.exec(created?.response?.location ?? '')?.[1]
      assert.deepEqual(body['subject'], { reference: `Patient/${patientId}` })
      assert.equal(found?.resource?.type, 'searchset')
    })

    it('decodes segments, and ignores unknown headers', async () => {
      await call(`${url}/AidboxTopicDestination/encoded`, 'PUT', destination('encoded'))
      for (const path of ['%24status', '$status', '%24st%61tus']) {
        const { status, text } = await callRaw(
          url,
          'GET',
          `/fhir/AidboxTopicDestination/encoded/${path}`,
          {
            headers: { 'x-nobody-knows': '1', prefer: 'handling=lenient' },
          },
        )
        assert.equal(status, 200, text)
      }
    })
  })

  it('describes itself at /metadata: version, both custom types, their interactions, the operations', async () => {
    const { status, body } = await call(`${url}/metadata`, 'GET')
    assert.equal(status, 200)
    assert.equal(body['fhirVersion'], '4.0.1')
    const [rest] = body['rest'] as [{ interaction: object[]; resource: ServedType[] }]
    assert.deepEqual(rest.interaction, [{ code: 'transaction' }, { code: 'batch' }])
    const byType = new Map(rest.resource.map((resource) => [resource.type, resource]))
    for (const type of ['Patient', 'Encounter', 'Observation', 'QuestionnaireResponse'])
      assert.ok(byType.has(type), type)
    assert.ok(byType.size > 140, `${byType.size} types`)
    for (const type of ['DomainResource', 'SubscriptionStatus']) assert.ok(!byType.has(type), type)
    assert.equal(new Set(rest.resource.map(({ type }) => type)).size, rest.resource.length)
    const own = byType.get('AidboxTopicDestination')
    assert.equal(own?.supportedProfile?.length, 4)
    assert.match(own.documentation ?? '', /^Kafka client: librdkafka .* saslMechanism: PLAIN, /)
    assert.deepEqual(own.interaction.map(({ code }) => code).toSorted(), [
      'create',
      'delete',
      'history-instance',
      'patch',
      'read',
      'search-type',
      'update',
      'vread',
    ])
    const operations = own.operation.map(({ name }) => name).toSorted()
    assert.deepEqual(operations, ['discard', 'status', 'validate'])
    assert.ok(own.searchParam.some(({ name }) => name === 'topic'))
    assert.ok(byType.get('AidboxSubscriptionTopic')?.searchParam.some(({ name }) => name === 'url'))
  })

  describe('request bodies', () => {
    for (const contentType of [
      'application/json',
      'application/fhir+json',
      'application/fhir+json; charset=utf-8',
      'application/json;charset="UTF-8"',
    ]) {
      it(`are read as ${contentType}`, async () => {
        const { status, body } = await create(patient('Jürgen'), { 'content-type': contentType })
        assert.equal(status, 201)
        assert.deepEqual(body['name'], [{ family: 'Jürgen' }])
      })
    }

    it('of another charset are decoded, and of another format answer 415', async () => {
      const latin1 = await callRaw(url, 'POST', '/fhir/Patient', {
        body: Buffer.from(JSON.stringify(patient('Jürgen')), 'latin1'),
        headers: { 'content-type': 'application/json; charset=iso-8859-1' },
      })
      assert.equal(latin1.status, 201)
      assert.match(latin1.text, /Jürgen/)
      for (const type of [
        'application/fhir+xml',
        'application/x-www-form-urlencoded',
        'application/json; charset=x-no',
      ]) {
        const { status, body } = await create(patient('X'), { 'content-type': type })
        assert.equal(status, 415, type)
        assert.equal(body.resourceType, 'OperationOutcome')
      }
    })

    const patches = [
      {
        kind: 'JSON Patch',
        type: 'application/json-patch+json',
        body: [{ op: 'add', path: '/gender', value: 'female' }],
      },
      {
        kind: 'JSON Patch',
        type: 'application/json',
        body: [{ op: 'add', path: '/gender', value: 'female' }],
      },
      { kind: 'merge patch', type: 'application/json', body: { gender: 'female' } },
      { kind: 'merge patch', type: 'application/merge-patch+json', body: { gender: 'female' } },
      {
        kind: 'FHIRPath Patch',
        type: 'application/fhir+json',
        body: {
          resourceType: 'Parameters',
          parameter: [
            {
              name: 'operation',
              part: [
                { name: 'type', valueCode: 'add' },
                { name: 'path', valueString: 'Patient' },
                { name: 'name', valueString: 'gender' },
                { name: 'value', valueCode: 'female' },
              ],
            },
          ],
        },
      },
    ]
    for (const { kind, type, body } of patches) {
      it(`of PATCH may be ${kind} as ${type}`, async () => {
        const { body: created } = await create(patient('Patched'))
        const patched = await call(`${url}/Patient/${created.id}`, 'PATCH', body, {
          'content-type': type,
        })
        assert.equal(patched.status, 200, patched.text)
        assert.equal(patched.body['gender'], 'female')
        assert.deepEqual(patched.body['name'], [{ family: 'Patched' }])
        assert.notEqual(patched.body.meta?.versionId, created.meta?.versionId)
      })
    }

    it('of GET and DELETE are not looked at', async () => {
      const { body } = await create(patient('Ignored'))
      const path = `/fhir/Patient/${body.id}`
      const headers = { 'content-type': 'application/fhir+json' }
      assert.equal((await callRaw(url, 'GET', path, { headers })).status, 200)
      assert.equal((await callRaw(url, 'DELETE', path, { headers, body: '{}' })).status, 204)
    })

    it('without resourceType are accepted where the URL has the type; answers contain it', async () => {
      const created = await call(`${url}/Patient`, 'POST', { name: [{ family: 'Typeless' }] })
      assert.equal(created.status, 201, created.text)
      assert.equal(created.body.resourceType, 'Patient')
      const { resourceType: _, ...typeless } = destination('typeless')
      const put = await call(`${url}/AidboxTopicDestination/typeless`, 'PUT', typeless)
      assert.equal(put.status, 201, put.text)
      assert.equal(put.body.resourceType, 'AidboxTopicDestination')
    })
  })

  it('answers JSON always, also when Accept names XML first', async () => {
    for (const accept of [
      'application/fhir+xml',
      'application/fhir+xml;q=1.0, application/fhir+json;q=0.5',
      'text/html',
    ]) {
      for (const path of ['Patient', 'Patient/none', 'metadata']) {
        const { status, headers } = await call(`${url}/${path}`, 'GET', undefined, { accept })
        assert.notEqual(status, 406)
        assert.match(headers.get('content-type') ?? '', /^application\/fhir\+json/)
      }
    }
  })

  describe('writes', () => {
    it('POST answers 201, the whole body, Location, ETag and Last-Modified', async () => {
      const { status, headers, body } = await create(patient('Posted'))
      assert.equal(status, 201)
      const versionId = body.meta?.versionId
      assert.equal(typeof versionId, 'string')
      assert.equal(headers.get('location'), `${url}/Patient/${body.id}/_history/${versionId}`)
      assert.equal(headers.get('etag'), `W/"${versionId}"`)
      assert.match(
        body.meta?.lastUpdated ?? '',
        /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/,
      )
      assert.equal(
        Date.parse(headers.get('last-modified') ?? ''),
        Math.floor(Date.parse(body.meta?.lastUpdated ?? '') / 1000) * 1000,
      )
      assert.deepEqual(Object.keys(body.meta ?? {}).toSorted(), ['lastUpdated', 'versionId'])
      assert.equal((await call(headers.get('location') ?? '', 'GET')).status, 200)
    })

    it('PUT answers 201 when it creates and 200 when it updates, with the same headers', async () => {
      const target = `${url}/Patient/put-1`
      const created = await call(target, 'PUT', { ...patient('Put'), id: 'put-1' })
      const updated = await call(target, 'PUT', { ...patient('Put again'), id: 'put-1' })
      assert.deepEqual([created.status, updated.status], [201, 200])
      for (const { headers, body } of [created, updated]) {
        assert.equal(headers.get('location'), `${target}/_history/${body.meta?.versionId}`)
        assert.equal(headers.get('etag'), `W/"${body.meta?.versionId}"`)
      }
      assert.notEqual(updated.body.meta?.versionId, created.body.meta?.versionId)
      assert.equal((await call(target, 'DELETE')).status, 204)
      const again = await call(target, 'PUT', { ...patient('Back'), id: 'put-1' })
      assert.equal(again.status, 201, again.text)
    })

    it('answer without a body only when Prefer asks for it', async () => {
      const minimal = await create(patient('Minimal'), { prefer: 'return=minimal' })
      assert.deepEqual([minimal.status, minimal.text], [201, ''])
      assert.ok(minimal.headers.get('location'))
      const outcome = await create(patient('Outcome'), {
        prefer: 'respond-sync; return=OperationOutcome',
      })
      assert.equal(outcome.body.resourceType, 'OperationOutcome')
      const whole = await create(patient('Whole'), { prefer: 'return=representation' })
      assert.equal(whole.body.resourceType, 'Patient')
    })

    it('refuse a body whose type or id is not the one of the URL', async () => {
      const wrongType = await call(`${url}/Encounter`, 'POST', patient('X'))
      const wrongId = await call(`${url}/Patient/a`, 'PUT', { ...patient('X'), id: 'b' })
      const longId = await call(`${url}/Patient/${'a'.repeat(65)}`, 'PUT', patient('X'))
      for (const { status, body } of [wrongType, wrongId, longId]) {
        assert.equal(status, 400)
        assert.equal(body.resourceType, 'OperationOutcome')
      }
    })

    it('store exactly what was sent: order, value types, flags, profile', async () => {
      const sent: TestResource = {
        ...destinationResource('exact', 'kafka-best-effort', 'any', 'events', 'localhost:9092'),
        parameter: [
          { name: 'batchSize', valueUnsignedInt: 100 },
          { name: 'kafkaTopic', valueString: 'events' },
          { name: 'bootstrapServers', valueUrl: 'localhost:9092' },
        ],
        includeEntryAction: true,
        content: 'id-only',
      }
      const put = await call(`${url}/AidboxTopicDestination/exact`, 'PUT', sent)
      assert.equal(put.status, 201, put.text)
      const { body } = await call(`${url}/AidboxTopicDestination/exact`, 'GET')
      const { meta, ...rest } = body
      const { meta: sentMeta, ...sentRest } = sent
      assert.deepEqual(rest, sentRest)
      assert.deepEqual(meta?.profile, (sentMeta as { profile: string[] }).profile)
      assert.deepEqual(Object.keys(meta).toSorted(), ['lastUpdated', 'profile', 'versionId'])
    })

    it('carry the correlation id and the traceparent of the request to the commit hooks', async () => {
      const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
      const { body } = await create(patient('Traced'), {
        'x-topic-correlation-id': 'order-4711',
        traceparent,
      })
      const change = tested.module.changes.find(({ id }) => id === body.id)
      assert.equal(change?.correlationId, 'order-4711')
      assert.equal(change.traceparent, traceparent)
    })

    it('may come ten at a time', async () => {
      const answers = await Promise.all(
        Array.from({ length: 10 }, async (_, n) => create(patient(`Concurrent${n}`))),
      )
      assert.deepEqual(
        answers.map(({ status }) => status),
        Array.from({ length: 10 }, () => 201),
      )
      assert.equal(new Set(answers.map(({ body }) => body.id)).size, 10)
    })
  })

  describe('preconditions', () => {
    it('If-Match is honoured in each form, on PUT, PATCH and DELETE, and never required', async () => {
      const { body } = await create(patient('Match'))
      const target = `${url}/Patient/${body.id}`
      let current = body
      const forms = [(v: string) => `W/"${v}"`, (v: string) => `"${v}"`, (v: string) => v]
      for (const [n, form] of forms.entries()) {
        const birthDate = `200${n}-01-01`
        const stale = await call(
          target,
          'PUT',
          { ...current, birthDate },
          { 'if-match': form('0') },
        )
        assert.equal(stale.status, 412)
        const versionId = current.meta?.versionId ?? ''
        const fresh = await call(
          target,
          'PUT',
          { ...current, birthDate },
          { 'if-match': form(versionId) },
        )
        assert.equal(fresh.status, 200, fresh.text)
        current = fresh.body
      }
      const gender = [{ op: 'add', path: '/gender', value: 'other' }]
      assert.equal((await call(target, 'PATCH', gender, { 'if-match': 'W/"0"' })).status, 412)
      assert.equal((await call(target, 'DELETE', undefined, { 'if-match': 'W/"0"' })).status, 412)
      const versionId = current.meta?.versionId ?? ''
      assert.equal(
        (await call(target, 'DELETE', undefined, { 'if-match': `W/"${versionId}"` })).status,
        204,
      )
      assert.equal((await call(target, 'PUT', current, { 'if-match': 'W/"1", W/"2"' })).status, 400)
    })

    it('If-None-Match in each form gives 304 without a body', async () => {
      const { body } = await create(patient('None'))
      const versionId = body.meta?.versionId ?? ''
      const target = `${url}/Patient/${body.id}`
      for (const tag of [
        `"${versionId}"`,
        `W/"${versionId}"`,
        versionId,
        `"x", W/"${versionId}"`,
      ]) {
        for (const path of [target, `${target}/_history/${versionId}`]) {
          const { status, text, headers } = await call(path, 'GET', undefined, {
            'if-none-match': tag,
          })
          assert.deepEqual([status, text], [304, ''], tag)
          assert.equal(headers.get('etag'), `W/"${versionId}"`)
        }
      }
      assert.equal((await call(target, 'GET', undefined, { 'if-none-match': 'W/"0"' })).status, 200)
    })
  })

  describe('conditions', () => {
    const identified = (value: string, more: object = {}) => ({
      resourceType: 'Patient',
      identifier: [{ system: 'urn:test', value }],
      ...more,
    })

    it('create: If-None-Exist as bare query or full URL, or a query on POST', async () => {
      const forms = [
        (query: string) => create(identified('c1'), { 'if-none-exist': query }),
        (query: string) => create(identified('c1'), { 'if-none-exist': `${url}/Patient?${query}` }),
        (query: string) => create(identified('c1'), { 'if-none-exist': `Patient?${query}` }),
        (query: string) => call(`${url}/Patient?${query}&_format=json`, 'POST', identified('c1')),
      ]
      const query = 'identifier=urn:test%7Cc1'
      const created = await create(identified('c1'), { 'if-none-exist': query })
      assert.equal(created.status, 201, created.text)
      for (const form of forms) {
        const { status, body, text } = await form(query)
        assert.equal(status, 200, text)
        assert.equal(body.id, created.body.id)
      }
      await create(identified('c1'))
      for (const form of forms) assert.equal((await form(query)).status, 412)
      assert.equal((await create(identified('c2'), { 'if-none-exist': '' })).status, 400)
    })

    it('create by _id keeps the id of the body for the custom types', async () => {
      const ifNoneExist = { 'if-none-exist': '_id=conditional' }
      const first = await create(destination('conditional'), ifNoneExist)
      const second = await create(destination('conditional'), ifNoneExist)
      assert.deepEqual([first.status, second.status], [201, 200], first.text)
      assert.equal(second.body.id, 'conditional')
    })

    it('update, patch and delete by query; none and several matches are told apart', async () => {
      const query = 'Patient?identifier=urn:test%7Cu1'
      const created = await call(`${url}/${query}`, 'PUT', identified('u1'))
      assert.equal(created.status, 201, created.text)
      const updated = await call(`${url}/${query}`, 'PUT', identified('u1', { gender: 'male' }))
      assert.deepEqual([updated.status, updated.body.id], [200, created.body.id])
      const patch = [{ op: 'replace', path: '/gender', value: 'female' }]
      const patched = await call(`${url}/${query}`, 'PATCH', patch)
      assert.deepEqual([patched.status, patched.body['gender']], [200, 'female'])
      await create(identified('u1'))
      for (const [method, body] of [
        ['PUT', identified('u1')],
        ['PATCH', patch],
        ['DELETE', undefined],
      ] as const) {
        assert.equal((await call(`${url}/${query}`, method, body)).status, 412, method)
      }
      assert.equal((await call(`${url}/Patient/${created.body.id}`, 'DELETE')).status, 204)
      assert.equal((await call(`${url}/${query}`, 'DELETE')).status, 204)
      assert.equal((await call(`${url}/${query}`, 'PATCH', patch)).status, 404)
      for (const method of ['PUT', 'DELETE', 'PATCH']) {
        const bare = await call(
          `${url}/Patient?_format=json`,
          method,
          method === 'PATCH' ? patch : patient('X'),
        )
        assert.equal(bare.status, 400, method)
      }
    })
  })

  it('answers 404 for what is missing, and for a deleted resource of the custom types', async () => {
    for (const path of [
      'Patient/none',
      'AidboxTopicDestination/none',
      'AidboxTopicDestination/none/$status',
      'Nothing',
      'Nothing/1',
      'Patient/1/2/3/4',
    ]) {
      const { status, body } = await call(`${url}/${path}`, 'GET')
      assert.equal(status, 404, path)
      assert.equal(body.resourceType, 'OperationOutcome')
    }
    await call(`${url}/AidboxTopicDestination/gone`, 'PUT', destination('gone'))
    assert.equal((await call(`${url}/AidboxTopicDestination/gone`, 'DELETE')).status, 204)
    assert.equal((await call(`${url}/AidboxTopicDestination/gone`, 'GET')).status, 404)
    assert.equal((await call(`${url}/AidboxTopicDestination/gone/$status`, 'GET')).status, 404)
    const { body } = await create(patient('Gone'))
    await call(`${url}/Patient/${body.id}`, 'DELETE')
    assert.equal((await call(`${url}/Patient/${body.id}`, 'GET')).status, 410)
    assert.equal((await call(`${url}/Patient/${body.id}`, 'DELETE')).status, 204)
    assert.equal((await call(`${url}/Patient/never`, 'DELETE')).status, 404)
  })

  describe('searches', () => {
    before(async () => {
      for (const n of [1, 2, 3]) {
        await create({
          ...patient('Searched'),
          identifier: [{ system: 'urn:search', value: `${n}` }],
        })
      }
      const topic = await call(
        `${url}/AidboxSubscriptionTopic/searched`,
        'PUT',
        topicResource('searched', { resource: 'Patient' }),
      )
      assert.equal(topic.status, 201, topic.text)
      const resource = { ...destination('searched'), topic: 'http://example.org/topic/searched' }
      assert.equal(
        (await call(`${url}/AidboxTopicDestination/searched`, 'PUT', resource)).status,
        201,
      )
    })

    it('count 0, 1, 2 with total and absolute links on the host that the client used', async () => {
      const { port } = new URL(url)
      for (const host of [`127.0.0.1:${port}`, `localhost:${port}`]) {
        for (const count of [0, 1, 2]) {
          const path = `/fhir/Patient?family=Searched&_count=${count}`
          const { status, text } = await callRaw(url, 'GET', path, { headers: { host } })
          assert.equal(status, 200, text)
          const body = JSON.parse(text) as Awaited<ReturnType<typeof call>>['body']
          assert.deepEqual(
            [body.type, body.total, body.entry?.length ?? 0],
            ['searchset', 3, count],
          )
          const link = (relation: string) =>
            body.link?.find((one) => one.relation === relation)?.url
          assert.ok(link('self')?.startsWith(`http://${host}/fhir/Patient?`), link('self'))
          if (count > 0)
            assert.ok(link('next')?.startsWith(`http://${host}/fhir/Patient?`), link('next'))
        }
      }
    })

    it('link to the address that a trusted proxy was asked under, and to none that a Host header could inject', async () => {
      const selfLink = async (headers: Record<string, string>) => {
        const { text } = await callRaw(url, 'GET', '/fhir/Patient?family=Searched', { headers })
        const { link } = JSON.parse(text) as Awaited<ReturnType<typeof call>>['body']
        return link?.find(({ relation }) => relation === 'self')?.url
      }
      const proxied = { 'x-forwarded-host': 'fhir.example.org', 'x-forwarded-proto': 'https' }
      assert.match(
        (await selfLink(proxied)) ?? '',
        /^https:\/\/fhir\.example\.org\/fhir\/Patient\?/,
      )
      assert.ok((await selfLink({ host: 'x/"<script>' }))?.startsWith(`${url}/Patient?`))
    })

    it('follow the next links to the end', async () => {
      const ids: unknown[] = []
      let next: string | undefined = `${url}/Patient?family=Searched&_count=2`
      for (let pages = 0; next !== undefined && pages < 5; pages++) {
        const { body } = await call(next, 'GET')
        ids.push(...(body.entry ?? []).map(({ resource }) => resource?.id))
        next = body.link?.find(({ relation }) => relation === 'next')?.url
      }
      assert.deepEqual([ids.length, new Set(ids).size], [3, 3])
    })

    for (const [type, query] of [
      ['AidboxSubscriptionTopic', 'url=http://example.org/topic/searched'],
      ['AidboxTopicDestination', 'topic=http://example.org/topic/searched'],
      ['AidboxTopicDestination', '_id=searched'],
      ['Patient', 'identifier=urn:search%7C2'],
      [
        'Patient',
        'family=Searched&identifier=urn:search%7C2&_totalMethod=count&_format=json&mode=x',
      ],
    ] as const) {
      it(`find by ${query}, by GET and by POST _search`, async () => {
        const form = { 'content-type': 'application/x-www-form-urlencoded' }
        const [get, post, both] = [
          await call(`${url}/${type}?${query}`, 'GET'),
          await call(`${url}/${type}/_search`, 'POST', query, form),
          await call(`${url}/${type}/_search?${query}`, 'POST', '', form),
        ]
        for (const { status, body, text } of [get, post, both]) {
          assert.equal(status, 200, text)
          assert.equal(body.total, 1)
          assert.equal(body.entry?.[0]?.resource?.id, get.body.entry?.[0]?.resource?.id)
        }
      })
    }

    it('answer 400 for an unknown parameter', async () => {
      const { status, body } = await call(`${url}/Patient?nothing=1`, 'GET')
      assert.deepEqual([status, body.resourceType], [400, 'OperationOutcome'])
    })
  })

  describe('operations', () => {
    it('$status by GET, and harmless by POST', async () => {
      await call(`${url}/AidboxTopicDestination/op`, 'PUT', destination('op'))
      for (const [method, body] of [
        ['GET', undefined],
        ['POST', undefined],
        ['POST', {}],
        ['POST', { resourceType: 'Parameters' }],
      ] as const) {
        const answer = await call(`${url}/AidboxTopicDestination/op/$status`, method, body)
        assert.equal(answer.status, 200, answer.text)
        assert.equal(answer.body.resourceType, 'Parameters')
      }
      const inBundle = await call(url, 'POST', {
        resourceType: 'Bundle',
        type: 'batch',
        entry: [{ request: { method: 'GET', url: 'AidboxTopicDestination/op/$status' } }],
      })
      assert.equal(inBundle.body.entry?.[0]?.resource?.resourceType, 'Parameters', inBundle.text)
    })

    it('of another method answer 405 with Allow', async () => {
      for (const method of ['HEAD', 'PUT', 'DELETE', 'PATCH']) {
        const answer = await callRaw(url, method, '/fhir/AidboxTopicDestination/op/$status')
        assert.equal(answer.status, 405, method)
        assert.equal(answer.headers['allow'], 'GET, POST')
      }
    })

    it('vread, instance history and $validate, which scripts call', async () => {
      const { body } = await create(patient('Versioned'))
      const target = `${url}/Patient/${body.id}`
      await call(target, 'PUT', { ...body, gender: 'male' })
      const old = await call(`${target}/_history/${body.meta?.versionId}`, 'GET')
      assert.deepEqual(old.body, body)
      const history = await call(`${target}/_history`, 'GET')
      assert.deepEqual(
        [history.status, history.body.type, history.body.entry?.length],
        [200, 'history', 2],
      )
      const parameters = (resource: object) => ({
        resourceType: 'Parameters',
        parameter: [{ name: 'resource', resource }],
      })
      const bad = { resourceType: 'Patient', gender: ['x'] }
      for (const [path, input, severity] of [
        ['Patient/$validate', patient('Fine'), 'information'],
        ['Patient/$validate', parameters(patient('Fine')), 'information'],
        [`Patient/${body.id}/$validate`, parameters(patient('Fine')), 'information'],
        ['Patient/$validate', bad, 'error'],
        ['AidboxTopicDestination/$validate', destination('v'), 'information'],
        ['AidboxTopicDestination/$validate', { ...destination('v'), kind: 'nothing' }, 'error'],
      ] as const) {
        const answer = await call(`${url}/${path}`, 'POST', input)
        assert.equal(answer.status, 200, answer.text)
        assert.equal(answer.body.issue?.[0]?.severity, severity, answer.text)
      }
      assert.equal((await call(`${url}/Patient?family=Fine`, 'GET')).body.total, 0)
    })
  })

  it('HEAD answers what GET does, without the body', async () => {
    const { body } = await create(patient('Head'))
    const head = await callRaw(url, 'HEAD', `/fhir/Patient/${body.id}`)
    const get = await callRaw(url, 'GET', `/fhir/Patient/${body.id}`)
    assert.deepEqual([head.status, head.text], [200, ''])
    for (const name of ['etag', 'last-modified', 'content-length', 'content-type']) {
      assert.equal(head.headers[name], get.headers[name], name)
    }
  })
})
