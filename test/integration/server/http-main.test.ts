import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { testDatabase } from '../../helpers/postgres.ts'
import { startServerProcess } from '../../helpers/server-process.ts'
import { call } from './http-server.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))

const entry = [process.execPath, '--import', 'tsx', 'src/server/main.ts']

/** Runs the entry of `npm start` to its end. */
async function runToEnd(
  env: Record<string, string>,
  onLine: (line: string, stop: (signal?: NodeJS.Signals) => void) => void = () => undefined,
  [command = '', ...args]: readonly string[] = entry,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(command, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, HOST: '127.0.0.1', PORT: '0', ...env },
  })
  let stdout = ''
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
    if (stdout.includes('\n')) onLine(stdout, (signal = 'SIGINT') => child.kill(signal))
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr }
}

describe('npm start', () => {
  it('prints its URL, serves the module, and ends with 0 on SIGTERM', async (t) => {
    const database = await testDatabase(t)
    const server = await startServerProcess({
      DATABASE_URL: database.connectionString,
      KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:1',
      AUTH_TOKEN: 'sesame',
      TRUSTED_PROXIES: '192.0.2.1',
    })
    t.after(() => server.stop())
    assert.match(server.url, /^http:\/\/127\.0\.0\.1:\d+\/fhir$/)
    const authorization = 'Bearer sesame'
    const { body } = await call(`${server.url}/metadata`, 'GET')
    const [rest] = body['rest'] as [{ resource: { type: string; operation: { name: string }[] }[] }]
    const own = rest.resource.find(({ type }) => type === 'AidboxTopicDestination')
    assert.ok(own?.operation.some(({ name }) => name === 'status'))
    assert.equal((await call(`${server.url}/Patient`, 'GET')).status, 401)
    const headers = { authorization }
    assert.equal(
      (await call(`${server.url}/Patient`, 'POST', { resourceType: 'Patient' }, headers)).status,
      201,
    )
    const proxied = { ...headers, 'x-forwarded-host': 'fhir.example.org' }
    const found = await call(`${server.url}/Patient`, 'GET', undefined, proxied)
    // It trusts another proxy.
    assert.ok(found.body.link?.[0]?.url.startsWith(`${server.url}/Patient`))
    assert.equal(await server.stop(), 0)
    assert.doesNotMatch(server.stderr(), /sesame/)
  })

  it('brings its own PostgreSQL and Kafka when none are named, and ends with 0 on SIGINT', async () => {
    let status = 0
    const { code, stdout, stderr } = await runToEnd(
      { DATABASE_URL: '', KAFKA_BOOTSTRAP_SERVERS: '' },
      (line, stop) => {
        const url = /http\S+/.exec(line)?.[0] ?? ''
        void call(`${url}/Patient`, 'GET')
          .then((answer) => (status = answer.status))
          .finally(stop)
      },
    )
    assert.deepEqual([code, status], [0, 200], stderr)
    assert.match(stdout, /^[^\n]*(http:\/\/127\.0\.0\.1:\d+)\/fhir\nConsole at \1\/console\/\n$/)
    assert.match(stderr, /bootstrapServers/)
  })

  it(
    'gets the SIGTERM that is sent to npm, and npm waits for its end',
    { timeout: 60_000 },
    async (t) => {
      const database = await testDatabase(t)
      const { code, stderr } = await runToEnd(
        { DATABASE_URL: database.connectionString, KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:1' },
        (_line, stop) => {
          stop('SIGTERM')
        },
        ['npm', 'start', '--silent'],
      )
      assert.equal(code, 0, stderr)
    },
  )

  it('ends with 1 and one sentence when a setting is wrong', async () => {
    for (const [env, sentence] of [
      [{ PORT: 'http' }, /^KTD_INVALID_OPTION: PORT must/],
      [
        {
          HOST: '0.0.0.0',
          DATABASE_URL: 'postgres://127.0.0.1:1/x',
          KAFKA_BOOTSTRAP_SERVERS: 'x:1',
        },
        /Refusing to listen/,
      ],
    ] as const) {
      const { code, stdout, stderr } = await runToEnd(env)
      assert.deepEqual([code, stdout], [1, ''])
      assert.match(stderr, sentence)
    }
  })
})
