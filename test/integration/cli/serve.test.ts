import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { startCli } from '../../helpers/cli-process.ts'
import { testDatabase } from '../../helpers/postgres.ts'

describe('fhir-kafka serve', () => {
  it('runs the server as its options say, over the environment, and ends with 0 on SIGTERM', async (t) => {
    const { connectionString } = await testDatabase(t)
    const server = startCli(
      t,
      ['serve', '--port', '0', '--metrics', 'false', '--database-url', connectionString, '--json'],
      { PORT: '1', HOST: '127.0.0.1', METRICS: 'true', KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:1' },
    )
    const [line] = await server.until('out', /^.*\n/)
    const { url, console } = JSON.parse(line) as { url: string; console: string }
    assert.equal((await fetch(console)).status, 200)
    assert.equal((await fetch(`${url}/metadata`)).status, 200)
    assert.equal((await fetch(new URL('/metrics', url))).status, 404)
    server.signal('SIGTERM')
    assert.equal(await server.exited, 0)
    assert.equal(server.text('out'), line)
  })

  it('names no console where there is none', async (t) => {
    const { connectionString } = await testDatabase(t)
    const server = startCli(t, ['serve', '--port', '0', '--console', 'false'], {
      DATABASE_URL: connectionString,
      KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:1',
    })
    await server.until('out', /\n/)
    server.signal('SIGTERM')
    assert.equal(await server.exited, 0)
    assert.match(server.text('out'), /^FHIR server ready at \S+\/fhir\n$/)
  })

  it('says in one sentence why it does not start', async (t) => {
    const asJson = startCli(t, ['serve', '--port=-1', '--json'])
    assert.equal(await asJson.exited, 1)
    const { error } = JSON.parse(asJson.text('out')) as { error: { message: string } }
    assert.match(error.message, /^KTD_INVALID_OPTION: PORT /)
    for (const [args, why] of [
      [
        ['--port', '99999'],
        /^KTD_INVALID_OPTION: PORT must be a whole number from 0 to 65535\.\n$/,
      ],
      [['--metrics', 'maybe'], /^There is no metrics "maybe"; there are true, false\.\n$/],
      [
        ['--port', '0', '--database-url', 'postgres://127.0.0.1:1/x'],
        /^DATABASE_URL: .*ECONNREFUSED.*\n$/,
      ],
    ] as const) {
      const server = startCli(t, ['serve', '--kafka-bootstrap-servers', '127.0.0.1:1', ...args])
      assert.equal(await server.exited, 1)
      assert.match(server.text('err'), why)
      assert.equal(server.text('out'), '')
    }
  })
})
