import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { FhirRouter, MemoryRepository, type HttpMethod } from '@medplum/fhir-router'
import { fhirRouterHost, statusOf } from '../../../src/http/fhir-router.ts'
import { migrateOutbox } from '../../../src/outbox/migrations.ts'
import { outboxSchema } from '../../../src/outbox/schema.ts'
import { testDatabase } from '../../helpers/postgres.ts'
import { destinationResource } from '../../helpers/topic-resources.ts'
import { call, RecordingModule, testServer, type FhirBody } from '../server/http-server.ts'
import { ownTypesServer } from './own-types-server.ts'

const type = 'AidboxTopicDestination'
const destination = (id: string, more: object = {}) =>
  destinationResource(id, 'kafka-at-least-once', 'any', 'events', 'localhost:9092', more)
const off = { status: 'off' }

type Headers = Record<string, string>
/** One request to a server, below its base. */
type Ask = (
  method: HttpMethod,
  path: string,
  body?: unknown,
  headers?: Headers,
) => Promise<{ readonly status: number; readonly body: FhirBody }>

function over(url: string): Ask {
  return (method, path, body, headers) =>
    call(path === '' ? url : `${url}/${path}`, method, body, headers)
}

async function askFhirRouter(t: TestContext): Promise<Ask> {
  const { pool } = await testDatabase(t)
  await migrateOutbox(pool, outboxSchema())
  const host = fhirRouterHost({ pool, baseUrl: 'https://fhir.example.org/fhir' })
  new RecordingModule().register(host)
  const router = new FhirRouter()
  host.addRoutes(router)
  const repository = new MemoryRepository()
  return async (method, url, body, headers = {}) => {
    const [outcome, resource] = await router.handleRequest(
      { method, url, body, headers, pathname: '', params: {}, query: {} },
      repository,
    )
    const answered: object = resource ?? outcome
    return { status: statusOf(outcome), body: answered as FhirBody }
  }
}

/** Each server, and whether bundles are its own: fhir-router's say nothing of the element, and search by themselves. */
const servers: Readonly<Record<string, (t: TestContext) => Promise<[Ask, boolean]>>> = {
  'the reference server': async (t) => [over((await testServer(t)).url), true],
  expressHost: async (t) => [over((await ownTypesServer(t)).url), true],
  fhirRouterHost: async (t) => [await askFhirRouter(t), false],
}

for (const [name, serve] of Object.entries(servers)) {
  describe(`preconditions of a write at ${name}`, () => {
    const statuses = async (ask: Ask, ...requests: Parameters<Ask>[]): Promise<number[]> => {
      const found = []
      for (const request of requests) found.push((await ask(...request)).status)
      return found
    }

    it('If-None-Match: * lets a PUT create and nothing else; a version excludes that version', async (t) => {
      const [ask] = await serve(t)
      const path = `${type}/a`
      const unless = (tags: string) => ({ 'if-none-match': tags })
      assert.deepEqual(
        await statuses(
          ask,
          ['PUT', path, destination('a'), unless('*')],
          ['PUT', path, destination('a', off), unless('*')],
          ['PATCH', path, off, unless('*')],
          ['DELETE', path, undefined, unless('*')],
          ['PUT', path, destination('a', off), unless('W/"1"')],
          ['PUT', path, destination('a', off), unless('"7", W/"1"')],
          ['PUT', path, destination('a', off), unless('a b')],
          ['PUT', path, destination('a', off), unless('W/"7"')],
        ),
        [201, 412, 412, 412, 412, 412, 400, 200],
      )
      const { id: _id, ...anonymous } = destination('b', { topic: 'http://example.org/topic/b' })
      const query = `${type}?topic=http://example.org/topic/b`
      assert.deepEqual(
        await statuses(
          ask,
          ['PUT', query, anonymous, unless('*')],
          ['PUT', query, { ...anonymous, ...off }, unless('*')],
          ['PATCH', query, off, unless('*')],
          ['DELETE', query, undefined, unless('*')],
        ),
        [201, 412, 412, 412],
      )
      await ask('DELETE', path)
      assert.equal((await ask('PUT', path, destination('a'), unless('*'))).status, 201)
    })

    it('If-Match refuses what is missing: DELETE, PUT, and writes by a query', async (t) => {
      const [ask] = await serve(t)
      const version = { 'if-match': 'W/"1"' }
      await ask('PUT', `${type}/gone`, destination('gone'))
      const deleted = await ask('DELETE', `${type}/gone`, undefined, version)
      assert.ok([200, 204].includes(deleted.status))
      const none = `${type}?_id=none`
      const { id: _id, ...anonymous } = destination('none')
      assert.deepEqual(
        await statuses(
          ask,
          ['DELETE', `${type}/none`, undefined, version],
          ['DELETE', `${type}/gone`, undefined, version],
          ['PUT', `${type}/none`, destination('none'), version],
          ['DELETE', none, undefined, version],
          ['PUT', none, anonymous, version],
          ['GET', `${type}/none`],
        ),
        [412, 412, 412, 412, 412, 404],
      )
      assert.equal((await ask('GET', `${type}?topic=http://example.org/topic/any`)).body.total, 0)
    })

    it('If-None-Exist about another type is a bad request, and a question mark in its value is none of its own', async (t) => {
      const [ask] = await serve(t)
      const create = (id: string, ifNoneExist: string) =>
        ask('POST', type, destination(id, { topic: 'http://example.org/t?v=1' }), {
          'if-none-exist': ifNoneExist,
        })
      const found = [
        await create('x', 'AidboxSubscriptionTopic?_id=x'),
        await create('x', 'https://fhir.example.org/fhir/Patient?_id=x'),
        await create('x', 'topic=http://example.org/t?v=1'),
        await create('y', 'topic=http://example.org/t?v=1'),
        await create('y', `?topic=http://example.org/t?v=1`),
        await create('y', `https://fhir.example.org/fhir/${type}?topic=http://example.org/t?v=1`),
      ].map(({ status }) => status)
      assert.deepEqual(found, [400, 400, 201, 200, 200, 200])
    })

    it('holds for the entries of a batch and of a transaction', async (t) => {
      const [ask, ownsBundles] = await serve(t)
      await ask('PUT', `${type}/a`, destination('a'))
      const put = (id: string, request: object) => ({
        resource: destination(id),
        request: { method: 'PUT', url: `${type}/${id}`, ...request },
      })
      const post = (ifNoneExist: string) => ({
        resource: destination('c'),
        request: { method: 'POST', url: type, ifNoneExist },
      })
      const remove = (url: string) => ({ request: { method: 'DELETE', url, ifMatch: 'W/"1"' } })
      for (const [entry, status, expression] of [
        [put('a', { ifNoneMatch: '*' }), 412, 'Bundle.entry[0]'],
        [put('a', { ifNoneMatch: 'a b' }), 400, 'Bundle.entry[0].request.ifNoneMatch'],
        [put('none', { ifMatch: 'W/"1"' }), 412, 'Bundle.entry[0]'],
        [remove(`${type}/none`), 412, 'Bundle.entry[0]'],
        [remove(`${type}?_id=none`), 412, 'Bundle.entry[0].request.ifMatch'],
        [post('AidboxSubscriptionTopic?_id=c'), 400, 'Bundle.entry[0].request.ifNoneExist'],
      ] as const) {
        if (!ownsBundles && entry.request.url.includes('?')) continue
        for (const kind of ownsBundles ? ['batch', 'transaction'] : ['batch']) {
          const bundle = { resourceType: 'Bundle', type: kind, entry: [entry] }
          const answer = await ask('POST', '', bundle)
          const { body } = answer
          const { response } = body.entry?.[0] ?? {}
          const said = JSON.stringify([kind, entry, answer])
          if (kind === 'batch') assert.equal(response?.status, String(status), said)
          else assert.equal(answer.status, status, said)
          const { issue } = kind === 'batch' ? (response?.outcome ?? {}) : body
          if (ownsBundles) assert.equal(issue?.[0]?.expression?.[0], expression, said)
        }
      }
      const created = await ask('POST', '', {
        resourceType: 'Bundle',
        type: 'transaction',
        entry: [put('b', { ifNoneMatch: '*' })],
      })
      assert.equal(created.body.entry?.[0]?.response?.status, '201')
      const missing = { request: { method: 'DELETE', url: `${type}/none` } }
      const batch = await ask('POST', '', {
        resourceType: 'Bundle',
        type: 'batch',
        entry: [missing],
      })
      assert.match(batch.body.entry?.[0]?.response?.status ?? '', /^20[04]$/)
    })
  })
}
