import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { createServer, type ServerOptions } from '../../../src/server/create-server.ts'
import { createTopic, privateKafka } from '../../helpers/kafka.ts'
import { testDatabase } from '../../helpers/postgres.ts'
import { startServerProcess } from '../../helpers/server-process.ts'
import { topologyFile, topologyText } from '../../helpers/topology.ts'
import { destinationResource, topicResource } from '../../helpers/topic-resources.ts'
import { call, testServer } from './http-server.ts'

interface Report {
  readonly code: number
  readonly status: string
  readonly checks: Readonly<
    Record<
      string,
      { readonly status: string; readonly latencyMs?: number; readonly cause?: string }
    >
  >
}

/** Asks a server at the URL of its FHIR service. */
async function probe(
  url: string,
  path: '/health' | '/ready',
  headers: Record<string, string> = {},
): Promise<Report> {
  const answer = await call(new URL(path, url).href, 'GET', undefined, headers)
  assert.match(String(answer.headers.get('content-type')), /^application\/json/)
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  return { code: answer.status, ...(JSON.parse(answer.text) as Omit<Report, 'code'>) }
}

const topology = `cluster: { bootstrapServers: '\${BROKERS}' }
environments: { test: { vars: { BROKERS: 'BROKER' } } }
services: { web: { groupPrefix: web-, health: shop.health } }
topics:
  shop.health: { role: health }
  shop.patients: { external: true }
  shop.orders: { by: [web/Checkout], external: consumer }
fhir: { enforceCatalogue: true }`

/** Path of a topology of that broker; its environment is `test`. */
async function fileFor(t: TestContext, bootstrapServers: string): Promise<string> {
  return topologyFile(t, topologyText(topology.replace("BROKER'", `${bootstrapServers}'`)))
}

describe('/health and /ready', () => {
  it('are there without credentials, and say no more than whether a check passes', async (t) => {
    const { url } = await testServer(t, { authToken: 'sesame' })
    assert.deepEqual(await probe(url, '/health'), {
      code: 200,
      status: 'pass',
      checks: { database: { status: 'pass' } },
    })
    assert.deepEqual(await probe(url, '/ready'), {
      code: 200,
      status: 'pass',
      checks: { database: { status: 'pass' }, modules: { status: 'pass' } },
    })
    const { checks } = await probe(url, '/ready', { authorization: 'Bearer sesame' })
    assert.ok(Number.isInteger(checks['database']?.latencyMs))
    const head = await call(new URL('/ready', url).href, 'HEAD')
    assert.deepEqual([head.status, head.text], [200, ''])
    assert.equal((await call(new URL('/ready', url).href, 'POST', {})).status, 404)
    assert.equal((await call(new URL('/healthy', url).href, 'GET')).status, 404)
  })

  it('a server that starts is alive, and not ready', async (t) => {
    const { connectionString } = await testDatabase(t)
    const server = await createServer({ databaseUrl: connectionString })
    t.after(() => server.close())
    assert.equal((await probe(server.url, '/health')).code, 200)
    const early = await probe(server.url, '/ready')
    assert.deepEqual([early.code, early.status], [503, 'fail'])
    assert.deepEqual(early.checks['modules'], {
      status: 'fail',
      cause: 'The server is starting or stopping.',
    })
    await server.listen()
    assert.equal((await probe(server.url, '/ready')).code, 200)
  })

  it('a server without its database is neither', async (t) => {
    const server = await createServer({ databaseUrl: 'postgres://user:sesame@127.0.0.1:1/x' })
    t.after(() => server.close())
    for (const path of ['/health', '/ready'] as const) {
      const { code, checks } = await probe(server.url, path)
      assert.equal(code, 503)
      assert.deepEqual(checks['database'], {
        status: 'fail',
        cause: 'The database cannot be reached (ECONNREFUSED).',
      })
    }
  })

  it('/ready follows the health of the topology, /health does not', async (t) => {
    const broker = await privateKafka(t)
    const { bootstrapServers } = broker
    await createTopic(bootstrapServers, 'shop.health')
    const file = await fileFor(t, bootstrapServers)
    const options: Partial<ServerOptions> = {
      topology: { file, environment: 'test', deadlineMs: 2000, maxAgeMs: 0 },
    }
    const { url } = await testServer(t, options)
    await untilReady(url)
    await broker.kill()
    const { code, checks } = await probe(url, '/ready')
    assert.equal(code, 503)
    assert.match(
      checks['kafka:web']?.cause ?? '',
      /^producer: Kafka broker 127\.0\.0\.1:\d+ cannot be reached: Connection refused\.$/,
    )
    assert.equal(checks['database']?.status, 'pass')
    assert.equal((await probe(url, '/health')).code, 200)
    await broker.start()
    await untilReady(url)
  })

  it('says what a topology lacks', async (t) => {
    const file = await topologyFile(t, topologyText('topics: {}'))
    const { url } = await testServer(t, { topology: { file } })
    const { code, checks } = await probe(url, '/ready')
    assert.equal(code, 503)
    assert.match(checks['kafka']?.cause ?? '', /^The file does not say where the cluster is/)
    await assert.rejects(testServer(t, { topology: { file: 'nowhere.yaml' } }), {
      code: 'KTD_TOPOLOGY',
      message: 'The file nowhere.yaml does not exist.',
    })
  })

  /** Nothing tells when a broker that has just started takes its clients, nor when a topic has its leader: it is asked for. */
  async function untilReady(url: string): Promise<Report> {
    for (let attempt = 1; ; attempt++) {
      const report = await probe(url, '/ready')
      if (report.code === 200) return report
      if (attempt === 20) assert.fail(`/ready stays ${JSON.stringify(report)}`)
      await delay(50)
    }
  }

  it('npm start takes the topology from its environment: for /ready, and to hold destinations to it', async (t) => {
    const broker = await privateKafka(t)
    const { bootstrapServers } = broker
    await createTopic(bootstrapServers, 'shop.health')
    const { connectionString } = await testDatabase(t)
    const server = await startServerProcess({
      DATABASE_URL: connectionString,
      KAFKA_BOOTSTRAP_SERVERS: bootstrapServers,
      TOPOLOGY_FILE: await fileFor(t, bootstrapServers),
      TOPOLOGY_ENVIRONMENT: 'test',
    })
    t.after(() => server.stop())
    const { url } = server
    const { checks } = await untilReady(url)
    assert.deepEqual(Object.keys(checks), ['database', 'modules', 'kafka:web'])
    const topic = topicResource('patients', { resource: 'Patient' })
    assert.equal((await call(`${url}/AidboxSubscriptionTopic/patients`, 'PUT', topic)).status, 201)
    const put = async (kafkaTopic: string): Promise<{ status: number; text: string }> =>
      call(
        `${url}/AidboxTopicDestination/d`,
        'PUT',
        destinationResource('d', 'kafka-best-effort', 'patients', kafkaTopic, bootstrapServers),
      )
    const refused = await put('shop.orders')
    assert.equal(refused.status, 422)
    assert.match(refused.text, /declares this Kafka topic for other producers/)
    assert.match(
      refused.text,
      /AidboxTopicDestination\.parameter\.where\(name='kafkaTopic'\)\.value/,
    )
    assert.equal((await put('shop.patients')).status, 201)
  })
})
