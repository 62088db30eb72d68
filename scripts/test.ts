/** Runs the tests: npm test -- [file or directory …]
 *
 *  Starts one PostgreSQL and one Apache Kafka for all files, unless only unit tests are asked for, and ends them. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startPostgres } from '../src/server/embedded/embedded-postgres.ts'
import { startKafkaBroker } from '../test/helpers/kafka-broker.ts'
import type { KafkaAddresses } from '../test/helpers/kafka-broker.ts'
import { testServerSettings } from '../test/helpers/postgres.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
// Only for a test that hangs: far above what any file takes.
const fileTimeoutMs = 15 * 60_000

// What a terminal shows names the failed tests at its end; of TAP, nobody finds them among thousands.
const reporters = process.stdout.isTTY
  ? []
  : [
      '--test-reporter=tap',
      '--test-reporter-destination=stdout',
      '--test-reporter=./scripts/failed-tests-reporter.js',
      '--test-reporter-destination=stderr',
    ]

type Stop = () => Promise<void>

async function main(filters: readonly string[]): Promise<number> {
  const files = await testFiles(filters)
  const needsServices = files.some((file) => !file.startsWith(join('test', 'unit') + sep))
  const stops: Stop[] = []
  try {
    const env = needsServices ? await startServices(stops) : {}
    const flags = ['--import', 'tsx', '--test', `--test-timeout=${fileTimeoutMs}`, ...reporters]
    // Files with servers and processes of their own would slow each other down into their deadlines.
    if (needsServices) flags.push('--test-concurrency=2')
    return await runNode([...flags, ...files], env)
  } finally {
    for (const stop of stops.toReversed()) await stop()
  }
}

/** Test files below the filters (default: all), relative to the root. */
async function testFiles(filters: readonly string[]): Promise<string[]> {
  const found = new Set<string>()
  for (const filter of filters.length === 0 ? [join(root, 'test')] : filters) {
    const path = resolve(filter)
    if (!existsSync(path)) throw new Error(`No such test file or directory: ${filter}`)
    const names = (await stat(path)).isDirectory()
      ? (await readdir(path, { recursive: true })).map((name) => join(path, name))
      : [path]
    for (const name of names) if (name.endsWith('.test.ts')) found.add(relative(root, name))
  }
  if (found.size === 0) throw new Error(`No *.test.ts below ${filters.join(', ')}`)
  return [...found].toSorted()
}

async function startServices(stops: Stop[]): Promise<NodeJS.ProcessEnv> {
  const started = await Promise.allSettled([startTestPostgres(stops), startTestKafka(stops)])
  const env: NodeJS.ProcessEnv = {}
  for (const result of started) {
    if (result.status === 'rejected') throw result.reason
    Object.assign(env, result.value)
  }
  return env
}

async function startTestPostgres(stops: Stop[]): Promise<NodeJS.ProcessEnv> {
  const postgres = await startPostgres({ settings: testServerSettings })
  stops.push(() => postgres.stop())
  return { TEST_PG_URL: postgres.connectionString }
}

async function startTestKafka(stops: Stop[]): Promise<NodeJS.ProcessEnv> {
  const kafka = await startKafkaBroker({ writesClassArchive: true })
  stops.push(() => kafka.stop())
  const directory = await mkdtemp(join(tmpdir(), 'topic-destination-tests-'))
  stops.push(() => rm(directory, { recursive: true, force: true }))
  const addresses: KafkaAddresses = {
    bootstrapServers: kafka.bootstrapServers,
    saslBootstrapServers: kafka.saslBootstrapServers,
    mtlsBootstrapServers: kafka.mtlsBootstrapServers,
    saslSslBootstrapServers: kafka.saslSslBootstrapServers,
    users: kafka.users,
    certificates: kafka.certificates,
    certificatePassword: kafka.certificatePassword,
  }
  const state = join(directory, 'kafka.json')
  await writeFile(state, JSON.stringify(addresses))
  return { TEST_KAFKA_STATE: state }
}

/** The exit code of node, whose own lines go to our output. A signal to us is passed on, so that what was started still ends. */
async function runNode(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(process.execPath, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      child.kill(signal)
    })
  }
  const [code] = (await once(child, 'exit')) as [number | null]
  return code ?? 1
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
