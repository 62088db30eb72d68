import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type {
  DestinationDetailView,
  DestinationSettingsView,
  DestinationsView,
  ListView,
} from '../../../src/console/api-views.ts'
import type { ConsoleOptions } from '../../../src/console/console-options.ts'
import { consoleRoutes } from '../../../src/console/routes.ts'
import { kafkaTopicDestination } from '../../../src/module.ts'
import type { DeliveryMonitor } from '../../../src/monitor/delivery-monitor.ts'
import type { DeadLetterView, UndecidedView } from '../../../src/monitor/views.ts'
import { createServer, type ServerOptions } from '../../../src/server/create-server.ts'
import { FhirClient } from '../../helpers/fhir-client.ts'
import { newTopic, testKafka } from '../../helpers/kafka.ts'
import { callRaw } from '../server/http-server.ts'
import { testDatabase, type TestDatabase } from '../../helpers/postgres.ts'
import { recordingLogger, type LogLine } from '../../helpers/recording-logger.ts'
import { destinationResource, topicResource } from '../../helpers/topic-resources.ts'
import { untilOverview } from '../../helpers/until-overview.ts'

const token = 'a-token-of-this-test'
const bearer = { authorization: `Bearer ${token}` }
const action = { 'x-fhir-console': '1', 'content-type': 'application/json' }

interface Console {
  readonly database: TestDatabase
  readonly fhir: FhirClient
  readonly monitor: DeliveryMonitor
  /** `http://127.0.0.1:1234/console` */
  readonly url: string
  /** With the token; the JSON of the answer, which must be 2xx. */
  readonly get: <View>(path: string) => Promise<View>
}

async function started(
  t: TestContext,
  options: Partial<ServerOptions> = { authToken: token },
  consoleOptions: Pick<ConsoleOptions, 'health'> = {},
): Promise<Console> {
  const database = await testDatabase(t)
  const server = await createServer({ databaseUrl: database.connectionString, ...options })
  t.after(() => server.close())
  const module = kafkaTopicDestination({
    database: database.connectionString,
    baseUrl: server.url,
    registryLeaseMs: 50,
    plainSecrets: 'echo',
  })
  server.load(module)
  server.serveConsole(module, consoleOptions)
  await server.listen()
  const url = server.url.replace(/\/fhir$/, '/console')
  return {
    database,
    fhir: new FhirClient(server.url, bearer),
    monitor: module.monitor,
    url,
    get: async <View>(path: string) => {
      const response = await fetch(`${url}/api${path}`, { headers: bearer })
      const text = await response.text()
      assert.equal(response.status, 200, `${path}: ${text}`)
      return JSON.parse(text) as View
    },
  }
}

const addressOf = (path: string): string => path.replace(':id', 'a').replace(':code', 'redrive')

describe('the API of the console', () => {
  it('answers nobody without the right, on every route; the pages hold nothing and come with a strict policy', async (t) => {
    const { url } = await started(t)
    const paths = [
      ...consoleRoutes.map(({ method, path }) => [method, addressOf(path)] as const),
      ['GET', '/session'] as const,
      ['GET', '/tail'] as const,
    ]
    for (const [method, path] of paths) {
      for (const authorization of ['', 'Bearer wrong', 'Basic d3Jvbmc6d3Jvbmc=']) {
        const response = await fetch(`${url}/api${path}`, {
          method,
          headers: { ...action, ...(authorization === '' ? {} : { authorization }) },
          ...(method === 'POST' ? { body: '{}' } : {}),
        })
        assert.equal(response.status, 401, `${method} ${path}`)
        assert.deepEqual(await response.json(), {
          error: 'Sign in to use the console.',
          canSignIn: true,
        })
      }
    }
    const moved = await fetch(url, { redirect: 'manual' })
    assert.deepEqual([moved.status, moved.headers.get('location')], [308, './console/'])
    const page = await fetch(`${url}/`)
    const html = await page.text()
    assert.equal(page.status, 200)
    assert.doesNotMatch(html, /<script(?![^>]*src=)|<style|style=|onclick|https?:/)
    const policy = page.headers.get('content-security-policy') ?? ''
    assert.match(policy, /default-src 'none'/)
    assert.doesNotMatch(policy, /unsafe|\*|data:|https?:/)
    const names = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, name]) => name)
    assert.ok(names.length >= 3)
    for (const name of names) assert.equal((await fetch(`${url}/${name}`)).status, 200, name)
    const unknown = await fetch(`${url}/api/nothing`, { headers: bearer })
    assert.equal(unknown.status, 404)
    // What looks like a host is a path.
    const { origin } = new URL(url)
    for (const [path, status] of [
      ['/console//', 404],
      ['/console//[', 404],
      ['/console//example.org/api/session', 404],
    ] as const) {
      assert.equal((await callRaw(origin, 'GET', path)).status, status, path)
    }
  })

  it('signs in for a cookie that scripts cannot read and other sites cannot send, and out again', async (t) => {
    const { url } = await started(t, { authToken: token, basicAuth: 'anna:pass word' })
    const signIn = (secret: string, headers: Record<string, string> = {}, path = '/console/') =>
      fetch(`${url}/api/session`, {
        method: 'POST',
        headers: { ...action, ...headers },
        body: JSON.stringify({ secret, path }),
      })
    for (const wrong of ['wrong', 'anna:wrong', 'anna', `${token}x`]) {
      const refused = await signIn(wrong)
      assert.deepEqual([refused.status, refused.headers.get('set-cookie')], [401, null])
    }
    for (const secret of [token, 'anna:pass word']) {
      const opened = await signIn(secret)
      assert.equal(opened.status, 204)
      const cookie = opened.headers.get('set-cookie') ?? ''
      assert.match(
        cookie,
        /^fhir_console=[\w-]+\.[\w-]+; Path=\/console\/; Max-Age=43200; HttpOnly; SameSite=Strict$/,
      )
      assert.ok(!cookie.includes(secret) && !cookie.includes(encodeURIComponent(secret)))
      const value = cookie.split(';')[0] ?? ''
      const withCookie = (given: string) =>
        fetch(`${url}/api/session`, { headers: { cookie: `other=1; ${given}` } })
      assert.equal((await withCookie(value)).status, 200)
      assert.equal((await withCookie(value.slice(0, -4))).status, 401)
      const [claims = '', signature = ''] = value.replace('fhir_console=', '').split('.')
      const later = Buffer.from(
        Buffer.from(claims, 'base64url')
          .toString()
          .replace(/"endsAt":1/, '"endsAt":9'),
      ).toString('base64url')
      assert.equal((await withCookie(`fhir_console=${later}.${signature}`)).status, 401)
    }
    const behindTls = await signIn(token, { 'x-forwarded-proto': 'https' }, '/sub/console/')
    assert.match(behindTls.headers.get('set-cookie') ?? '', /Path=\/sub\/console\/;.*; Secure$/)
    const elsewhere = await signIn(token, {}, '/; Domain=example.org')
    assert.match(elsewhere.headers.get('set-cookie') ?? '', /Path=\/console\/; Max-Age/)
    const closed = await fetch(`${url}/api/session`, {
      method: 'DELETE',
      headers: action,
      body: '{}',
    })
    assert.match(closed.headers.get('set-cookie') ?? '', /^fhir_console=; .*Max-Age=0;/)
  })

  it('takes no cookie that another token has signed', async (t) => {
    const first = await started(t)
    const second = await started(t, { authToken: 'another-token' })
    const opened = await fetch(`${first.url}/api/session`, {
      method: 'POST',
      headers: action,
      body: JSON.stringify({ secret: token }),
    })
    const cookie = (opened.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
    const status = async (url: string) =>
      (await fetch(`${url}/api/session`, { headers: { cookie } })).status
    assert.deepEqual([await status(first.url), await status(second.url)], [200, 401])
  })

  it('refuses what a page of another site could send', async (t) => {
    const { url, fhir } = await started(t)
    const { bootstrapServers } = await testKafka()
    await fhir.put(topicResource('a', { resource: 'Patient' }))
    const kafkaTopic = await newTopic(bootstrapServers)
    await fhir.put(
      destinationResource('a', 'kafka-at-least-once', 'a', kafkaTopic, bootstrapServers),
    )
    const pause = (headers: Record<string, string>) =>
      fetch(`${url}/api/destinations/a/status`, {
        method: 'POST',
        headers,
        body: JSON.stringify({ status: 'off' }),
      })
    const json = { 'content-type': 'application/json' }
    assert.equal((await pause({ ...bearer, ...json })).status, 403)
    for (const site of ['cross-site', 'same-site', 'none']) {
      const refused = await pause({ ...bearer, ...action, 'sec-fetch-site': site })
      assert.equal(refused.status, 403, site)
    }
    assert.equal((await pause({ ...bearer, ...action, 'content-type': 'text/plain' })).status, 415)
    assert.equal((await fhir.status('a')).state, 'active')
    assert.equal(
      (await pause({ ...bearer, ...action, 'sec-fetch-site': 'same-origin' })).status,
      200,
    )
    assert.equal((await fhir.status('a')).state, 'off')
  })

  it('is open without credentials for this machine only, by its own names', async (t) => {
    const { url } = await started(t, {})
    const { origin, port } = new URL(url)
    const status = async (host: string) =>
      (await callRaw(origin, 'GET', '/console/api/session', { headers: { host } })).status
    assert.equal(await status(`127.0.0.1:${port}`), 200)
    assert.equal(await status(`localhost:${port}`), 200)
    // A name of another site that points to this machine; its page may set any header but Host.
    assert.equal(await status(`example.org:${port}`), 401)
    const forwarded = { host: `example.org:${port}`, 'x-forwarded-host': 'localhost' }
    const disguised = await callRaw(origin, 'GET', '/console/api/session', { headers: forwarded })
    assert.equal(disguised.status, 401)
  })

  it('says what $status says, and shows neither secrets nor content', async (t) => {
    const { fhir, get, url, database, monitor } = await started(t)
    const { bootstrapServers } = await testKafka()
    const kafkaTopic = await newTopic(bootstrapServers, { config: { 'max.message.bytes': '3000' } })
    await fhir.put(topicResource('mixed', { resource: 'Patient' }))
    await fhir.put(
      topicResource('undecidable', {
        resource: 'Patient',
        fhirPathCriteria: 'name.given.single().exists()',
      }),
    )
    const queue = destinationResource(
      'queue',
      'kafka-at-least-once',
      'mixed',
      kafkaTopic,
      bootstrapServers,
    )
    await fhir.put(queue)
    await fhir.put(
      destinationResource(
        'parked',
        'kafka-at-least-once',
        'undecidable',
        kafkaTopic,
        bootstrapServers,
      ),
    )
    const secured = destinationResource(
      'secured',
      'kafka-at-least-once',
      'mixed',
      kafkaTopic,
      '127.0.0.1:1',
    )
    const jaas =
      'org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="canarysecret";'
    await fhir.put({
      ...secured,
      parameter: [
        ...(secured['parameter'] as object[]),
        { name: 'securityProtocol', valueString: 'SASL_PLAINTEXT' },
        { name: 'saslMechanism', valueString: 'PLAIN' },
        { name: 'saslJaasConfig', valueString: jaas },
      ],
    })
    const patient = (id: string, more: object = {}) => ({
      resourceType: 'Patient',
      id,
      name: [{ family: 'canaryname', given: ['canaryone', 'canarytwo'] }],
      ...more,
    })
    await fhir.put(patient('small'))
    // Too large for the Kafka topic: a dead letter.
    const long = Array.from({ length: 4000 }, (_each, index) => `canarytext${index}`).join(' ')
    await fhir.put(
      patient('large', {
        text: {
          status: 'generated',
          div: `<div xmlns="http://www.w3.org/1999/xhtml">${long}</div>`,
        },
      }),
    )
    await fhir.untilStatus(
      'queue',
      ({ count }) => count('messagesDead') === 1 && count('messagesDelivered') === 1,
    )
    await fhir.untilStatus('parked', ({ count }) => count('messagesUndecided') === 2)
    await fhir.untilStatus('secured', ({ errors }) => errors.length > 0)

    const answers: string[] = []
    const noted = async <View>(path: string): Promise<View> => {
      const view = await get<View>(path)
      answers.push(JSON.stringify(view))
      return view
    }
    // What is shared by all who ask is up to a second old.
    await untilOverview(monitor, ({ summary }) => summary.dead === 1 && summary.undecided === 2)
    const list = await noted<DestinationsView>('/destinations')
    assert.deepEqual([list.summary.dead, list.summary.undecided], [1, 2])
    for (const row of list.rows) {
      const status = await fhir.status(row.id)
      const { counts } = row
      assert.deepEqual(
        [counts.delivered, counts.dead, counts.undecided, counts.queued + counts.inProcess],
        [
          status.count('messagesDelivered'),
          status.count('messagesDead'),
          status.count('messagesUndecided'),
          status.count('messagesQueued') + status.count('messagesInProcess'),
        ],
        row.id,
      )
    }
    assert.deepEqual(
      list.rows.map(({ id, health }) => [id, health]),
      [
        ['secured', 'stuck'],
        ['parked', 'attention'],
        ['queue', 'attention'],
      ],
    )
    assert.match(list.rows[0]?.why ?? '', /127\.0\.0\.1:1/)
    const { rows: letters } = await noted<ListView<DeadLetterView>>(
      '/destinations/queue/dead-letters',
    )
    assert.deepEqual(
      letters.map(({ resource, eventNumber }) => [resource, eventNumber]),
      [['Patient/large', 2]],
    )
    const { rows: undecided } = await noted<ListView<UndecidedView>>(
      '/destinations/parked/undecided?size=1',
    )
    assert.deepEqual(
      undecided.map(({ resource }) => resource),
      ['Patient/small'],
    )
    const settings = await noted<DestinationSettingsView>('/destinations/secured/settings')
    assert.deepEqual(
      settings.parameters.find(({ name }) => name === 'saslJaasConfig'),
      { name: 'saslJaasConfig', kind: 'masked' },
    )
    const detail = await noted<DestinationDetailView>('/destinations/secured')
    assert.ok(detail.destination.oldestQueuedAt)
    for (const path of ['/topics', '/topics/mixed', '/nodes', '/destinations/secured/status'])
      await noted(path)
    for (const answer of answers) assert.doesNotMatch(answer, /canary/)
    const raw = await get('/resource?reference=AidboxTopicDestination/secured')
    assert.doesNotMatch(JSON.stringify(raw), /canary/)
    // The resource itself goes by the rules of the FHIR server.
    assert.match(JSON.stringify(await get('/resource?reference=Patient/small')), /canaryname/)
    const { rows } = await database.pool.query<{ dead: string }>(
      'select count(*) as dead from topic_destination.dead_letter',
    )
    assert.equal(Number(rows[0]?.dead), letters.length)
    const unknown = await fetch(`${url}/api/resource?reference=../AidboxTopicDestination/secured`, {
      headers: bearer,
    })
    assert.equal(unknown.status, 400)
  })

  it('logs what fails unexpectedly with its class and place', async (t) => {
    const lines: LogLine[] = []
    const options = { authToken: token, logger: recordingLogger(lines) }
    const health = (): never => {
      throw new RangeError('of this test')
    }
    const { url } = await started(t, options, { health })
    assert.equal((await fetch(`${url}/api/health`, { headers: bearer })).status, 500)
    const line = lines.find(({ message }) => message === 'a request failed unexpectedly')
    const { type, stack = '' } = (line?.fields['err'] ?? {}) as { type?: string; stack?: string }
    assert.equal(type, 'RangeError')
    assert.match(stack, /api\.test/)
  })
})
