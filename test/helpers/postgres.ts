import type { TestContext } from 'node:test'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, Pool } from 'pg'
import type { PostgresServer } from '../../src/server/embedded/embedded-postgres.ts'
import { startPostgres } from '../../src/server/embedded/embedded-postgres.ts'

export interface TestDatabase {
  readonly connectionString: string
  readonly pool: Pool
}

/** Settings of every server that tests start. */
export const testServerSettings: Readonly<Record<string, string>> = { max_connections: '300' }

/** The `t` of a test, which cleans up at its end. The `t` of a suite's `before` cannot: what it starts ends with the process. */
export interface CleanUp {
  readonly name: string
  readonly after?: TestContext['after']
}

let sharedServer: Promise<string> | undefined

/** Connection string of the shared server: of the runner (TEST_PG_URL), else one that ends with this process. */
export function sharedPostgres(): Promise<string> {
  return (sharedServer ??= start())

  async function start(): Promise<string> {
    const url = process.env['TEST_PG_URL']
    if (url !== undefined) return url
    return (await startPostgres({ settings: testServerSettings })).connectionString
  }
}

/** A fresh, empty database on the shared server; dropped when `t` ends. */
export async function testDatabase(t: CleanUp): Promise<TestDatabase> {
  const server = await sharedPostgres()
  const name = `test_${randomBytes(6).toString('hex')}`
  await administer(server, `create database ${name}`)
  const connectionString = databaseUrl(server, name)
  const pool = openPool(connectionString)
  t.after?.(async () => {
    await endPool(pool)
    await administer(server, `drop database if exists ${name} with (force)`)
  })
  return { connectionString, pool }
}

export interface PrivatePostgres extends TestDatabase {
  /** SIGKILL, as a crash: every session is cut without a word. Ends when the server is gone. */
  kill(): Promise<void>
  /** A shutdown that rolls open transactions back and keeps the data. */
  stop(): Promise<void>
  /** Starts it again on the same port with its data. */
  start(): Promise<void>
  /** Stop, if it runs, and start. */
  restart(): Promise<void>
}

/** A server of its own, for tests that take it away. The pool survives kill and start. */
export async function privatePostgres(t: CleanUp): Promise<PrivatePostgres> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'topic-destination-test-'))
  const settings = { ...testServerSettings, fsync: 'off' }
  let server: PostgresServer
  try {
    server = await startPostgres({ dataDirectory, settings })
  } catch (error) {
    await rm(dataDirectory, { recursive: true, force: true })
    throw error
  }
  const { connectionString, port } = server
  const pool = openPool(connectionString)
  t.after?.(async () => {
    await server.stop()
    await endPool(pool)
    await rm(dataDirectory, { recursive: true, force: true })
  })
  async function start(): Promise<void> {
    server = await startPostgres({ dataDirectory, port, settings })
  }
  return {
    connectionString,
    pool,
    kill: () => server.kill(),
    stop: () => server.stop(),
    start,
    async restart() {
      await server.stop()
      await start()
    },
  }
}

function openPool(connectionString: string): Pool {
  const pool = new Pool({ connectionString, max: 20, allowExitOnIdle: true })
  // An idle connection that the server cut is not the test's failure.
  pool.on('error', () => undefined)
  return pool
}

/** Idle connections keep no process alive, not even until they are closed. */
async function endPool(pool: Pool): Promise<void> {
  const alive = setInterval(() => undefined, 60_000)
  try {
    await pool.end()
  } finally {
    clearInterval(alive)
  }
}

function databaseUrl(server: string, name: string): string {
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}

async function administer(server: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: server })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
