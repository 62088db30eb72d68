import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { forbidden, OperationOutcomeError } from '@medplum/core'
import express from 'express'
import type { DestinationsView, SessionView } from '../../../src/console/api-views.ts'
import { consoleRouter, type ConsoleRouter, type SeenResource } from '../../../src/console/index.ts'
import { expressHost } from '../../../src/http/express.ts'
import { kafkaTopicDestination } from '../../../src/module.ts'
import type { DeliveryMonitor } from '../../../src/monitor/delivery-monitor.ts'
import { FhirClient } from '../../helpers/fhir-client.ts'
import { testDatabase } from '../../helpers/postgres.ts'
import { destinationResource, topicResource } from '../../helpers/topic-resources.ts'
import { untilOverview } from '../../helpers/until-overview.ts'

const north = 'Organization/north'
const isOfNorth = ({ organization }: SeenResource) => organization === north

/** A service whose proxy names the reader in a header. Who is called `reader` may not change anything, and nobody but `admin` may read destinations. */
async function service(t: TestContext): Promise<{
  url: string
  fhir: FhirClient
  router: ConsoleRouter
  monitor: DeliveryMonitor
}> {
  const { pool, connectionString } = await testDatabase(t)
  const app = express()
  const listener = app.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const origin = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`
  const host = expressHost({
    pool,
    baseUrl: `${origin}/fhir`,
    authorize: (principal, action) => {
      const isAllowed = principal === undefined || principal.id === 'admin' || action === 'status'
      if (!isAllowed) throw new OperationOutcomeError(forbidden)
    },
  })
  const module = kafkaTopicDestination({
    database: connectionString,
    baseUrl: `${origin}/fhir`,
    registryLeaseMs: 50,
  })
  module.register(host)
  const router = consoleRouter({
    module,
    fhir: (request) => host.handle(request),
    authorize: ({ headers }) => {
      const id = String(headers['x-user'] ?? '')
      if (id === 'north') return { principal: { id }, mayWrite: false, maySee: isOfNorth }
      return id === '' ? undefined : { principal: { id }, mayWrite: id !== 'reader' }
    },
  })
  app.use('/ops/delivery', router)
  app.use('/fhir', host.router)
  await module.start()
  t.after(async () => {
    router.close()
    listener.close()
    await once(listener, 'close')
    await module.stop()
  })
  const fhir = new FhirClient(`${origin}/fhir`)
  await fhir.put(topicResource('a', { resource: 'Patient' }))
  await fhir.put(destinationResource('a', 'kafka-at-least-once', 'a', 'a', '127.0.0.1:1'))
  // What is shared by all who ask is up to a second old.
  await untilOverview(module.monitor, ({ destinations }) => destinations.length > 0)
  return { url: `${origin}/ops/delivery`, fhir, router, monitor: module.monitor }
}

const as = (user: string) => ({
  'x-user': user,
  'x-fhir-console': '1',
  'content-type': 'application/json',
})

describe('the console in an Express service', () => {
  it('lets the service say who may look, who may act, and who may read a resource', async (t) => {
    const { url, fhir } = await service(t)
    const get = (path: string, user: string) => fetch(`${url}/api${path}`, { headers: as(user) })
    const pause = (user: string) =>
      fetch(`${url}/api/destinations/a/status`, {
        method: 'POST',
        headers: as(user),
        body: '{"status":"off"}',
      })
    assert.equal((await get('/destinations', '')).status, 401)
    const session = (await (await get('/session', 'reader')).json()) as SessionView
    const { mayWrite, canSignOut, hasHealth, operations } = session
    assert.deepEqual([mayWrite, canSignOut, hasHealth], [false, false, false])
    assert.ok(operations.includes('preflight'))
    assert.equal((await get('/destinations', 'reader')).status, 200)
    assert.equal((await get('/destinations/a/settings', 'reader')).status, 403)
    assert.equal((await get('/destinations/a/settings', 'admin')).status, 200)
    // The console asks before the FHIR server does.
    const refused = await pause('reader')
    assert.deepEqual(
      [refused.status, await refused.json()],
      [403, { error: 'You may look, but not change anything.' }],
    )
    // The FHIR server has the last word.
    assert.equal((await pause('writer')).status, 403)
    assert.equal((await fhir.status('a')).state, 'active')
    assert.equal((await pause('admin')).status, 200)
    assert.equal((await fhir.status('a')).state, 'off')
    assert.equal((await get('/resource?reference=Patient/1', 'admin')).status, 404)
    const signIn = await fetch(`${url}/api/session`, {
      method: 'POST',
      headers: as('admin'),
      body: '{"secret":"x"}',
    })
    assert.equal(signIn.status, 404)
  })

  it('pages, searches and refuses wrong numbers', async (t) => {
    const { url, fhir } = await service(t)
    const ids = Array.from({ length: 5 }, (_each, index) => `topic-${index}`)
    for (const id of ids) await fhir.put(topicResource(id, { resource: 'Patient' }))
    const get = async (path: string) => {
      const response = await fetch(`${url}/api${path}`, { headers: as('admin') })
      return { status: response.status, body: (await response.json()) as Record<string, unknown> }
    }
    const { body } = await get('/topics?size=2&page=2&search=TOPIC-')
    assert.deepEqual(
      [
        (body['rows'] as { id: string }[]).map(({ id }) => id),
        body['page'],
        body['pages'],
        body['total'],
      ],
      [['topic-2', 'topic-3'], 2, 3, 5],
    )
    assert.equal((await get('/topics?size=2&page=99&search=topic-')).body['page'], 3)
    for (const wrong of ['size=0', 'size=201', 'page=-1', 'page=x']) {
      assert.equal((await get(`/topics?${wrong}`)).status, 400, wrong)
    }
    for (const [path, status] of [
      ['/destinations/none', 404],
      ['/destinations/%2e%2e', 404],
      ['/destinations/a/dead-letters?after=x', 400],
      ['/destinations/%zz', 400],
      ['/topics/none', 404],
    ] as const) {
      assert.equal((await get(path)).status, status, path)
    }
  })

  it('streams an answer whenever it has changed, and ends when the router is closed', async (t) => {
    const { url, fhir, router } = await service(t)
    const response = await fetch(`${url}/api/destinations/a`, {
      headers: { ...as('reader'), accept: 'text/event-stream' },
    })
    assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8')
    assert.ok(response.body)
    let text = ''
    const chunks = response.body.pipeThrough(new TextDecoderStream())
    for await (const chunk of chunks) {
      text += chunk
      if (text.includes('"status":"off"')) break
      if (text.includes('"status":"active"') && !text.includes('paused')) {
        text += 'paused'
        await fetch(`${url}/api/destinations/a/status`, {
          method: 'POST',
          headers: as('admin'),
          body: '{"status":"off"}',
        })
      }
    }
    assert.match(text, /event: view\ndata: \{"destination":/)
    assert.equal((await fhir.status('a')).state, 'off')
    const missing = await fetch(`${url}/api/destinations/none`, {
      headers: { ...as('reader'), accept: 'text/event-stream' },
    })
    assert.equal(missing.status, 404)
    const last = await fetch(`${url}/api/tail`, {
      headers: { ...as('reader'), accept: 'text/event-stream' },
    })
    router.close()
    // It would never end by itself.
    assert.match(await last.text(), /event: tail\ndata: \[\]/)
    assert.equal((await fetch(`${url}/api/session`, { headers: as('reader') })).status, 503)
  })

  it('leaves out what a caller may not see, also from sums, streams and the pages of all', async (t) => {
    const { url, fhir, router, monitor } = await service(t)
    const extension = [
      {
        url: 'https://aidbox.app/tenant-organization-id',
        valueReference: { reference: north },
      },
    ]
    const topic = topicResource('n', { resource: 'Patient' })
    await fhir.put({ ...topic, meta: { extension } })
    const limited = destinationResource('n', 'kafka-at-least-once', 'n', 'n', '127.0.0.1:1')
    await fhir.put({ ...limited, meta: { ...(limited['meta'] as object), extension } })
    const get = (path: string, user: string, accept = 'application/json') =>
      fetch(`${url}/api${path}`, { headers: { ...as(user), accept } })
    const list = async (user: string) => {
      const { rows, summary } = (await (
        await get('/destinations', user)
      ).json()) as DestinationsView
      return [rows.map(({ id }) => id).toSorted(), summary.destinations]
    }
    await untilOverview(monitor, ({ destinations }) => destinations.length === 2)
    assert.deepEqual(await list('admin'), [['a', 'n'], 2])
    assert.deepEqual(await list('north'), [['n'], 1])
    const topics = (await (await get('/topics', 'north')).json()) as { rows: { id: string }[] }
    assert.deepEqual(
      topics.rows.map(({ id }) => id),
      ['n'],
    )
    for (const [path, status] of [
      ['/destinations/n', 200],
      ['/destinations/n/undecided', 200],
      ['/topics/n', 200],
      ['/destinations/a', 404],
      ['/destinations/a/dead-letters', 404],
      ['/destinations/a/undecided', 404],
      ['/topics/a', 404],
      ['/nodes', 403],
      ['/health', 403],
      ['/topology', 403],
    ] as const) {
      assert.equal((await get(path, 'north')).status, status, path)
    }
    const session = (await (await get('/session', 'north')).json()) as SessionView
    assert.equal(session.seesAll, false)
    const stream = await get('/destinations', 'north', 'text/event-stream')
    router.close()
    const text = await stream.text()
    assert.match(text, /"id":"n"/)
    assert.doesNotMatch(text, /"id":"a"/)
  })

  it('answers without a stream when too many are open, and gives the room of one that ends to the next', async (t) => {
    const { url } = await service(t)
    const open = (signal?: AbortSignal) =>
      fetch(`${url}/api/destinations/a`, {
        headers: { ...as('reader'), accept: 'text/event-stream' },
        ...(signal ? { signal } : {}),
      })
    const first = new AbortController()
    assert.equal((await open(first.signal)).status, 200)
    const others = await Promise.all(Array.from({ length: 199 }, () => open()))
    assert.ok(others.every(({ status }) => status === 200))
    const refused = await open()
    assert.equal(refused.status, 503)
    assert.match(await refused.text(), /Too many pages are open/)
    assert.equal((await fetch(`${url}/api/destinations/a`, { headers: as('reader') })).status, 200)
    first.abort()
    for (const endsAt = Date.now() + 30_000; (await open()).status !== 200;) {
      if (Date.now() > endsAt) assert.fail('the room of the first stream is not given back')
    }
  })
})
