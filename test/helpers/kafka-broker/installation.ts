import { execFile } from 'node:child_process'
import { accessSync, constants, existsSync, mkdirSync } from 'node:fs'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brokerProperties, certificatePassword, users } from './properties.ts'

const run = promisify(execFile)
const here = fileURLToPath(new URL('.', import.meta.url))
const kafkaVersion = '4.3.1'
const clusterId = 'topicdestinationtestsA'

/** What every broker shares: downloaded and made once, kept in the cache directory. */
export interface KafkaInstallation {
  readonly java: string
  readonly classPath: string
  /** A formatted data directory with the SCRAM users in it; copied for each broker, which saves a start of the JVM. */
  readonly dataTemplate: string
  readonly certificates: string
  /** Class data sharing archive. Halves the start; written by the first shared broker as it ends. */
  readonly classArchive: string
}

/** `KAFKA_CACHE`, else `.cache/kafka` in the checkout, else (a checkout we cannot write to) below the temporary directory. */
export async function installKafka(): Promise<KafkaInstallation> {
  const cache = cacheDirectory()
  const java = process.env['JAVA_HOME'] ? join(process.env['JAVA_HOME'], 'bin', 'java') : 'java'
  await requireJava(java)
  const jars = await once(join(cache, `jars-${kafkaVersion}`), (directory) =>
    download(directory, cache),
  )
  const names = (await readdir(jars)).filter((name) => name.endsWith('.jar')).toSorted()
  // The archive is valid for exactly this class path, so its order must not change.
  const classPath = names.map((name) => join(jars, name)).join(':')
  const dataTemplate = await once(join(cache, `data-${kafkaVersion}`), (directory) =>
    format(java, classPath, directory),
  )
  const certificates = await once(join(cache, 'certificates'), makeCertificates)
  const classArchive = join(cache, `classes-${kafkaVersion}.jsa`)
  return { java, classPath, dataTemplate, certificates, classArchive }
}

export const log4jConfiguration: string = join(here, 'log4j2.properties')

function cacheDirectory(): string {
  const own = process.env['KAFKA_CACHE']
  const checkout = fileURLToPath(new URL('../../../.cache/kafka', import.meta.url))
  for (const directory of own === undefined ? [checkout] : [own]) {
    try {
      mkdirSync(directory, { recursive: true })
      accessSync(directory, constants.W_OK)
      return directory
    } catch {
      // Another user's checkout.
    }
  }
  const fallback = join(tmpdir(), `topic-destination-kafka-${userInfo().uid}`)
  mkdirSync(fallback, { recursive: true, mode: 0o700 })
  return fallback
}

const oldestJava = 17

async function requireJava(java: string): Promise<void> {
  const { stderr } = await requireTool(
    java,
    '-version',
    `a Java runtime, ${oldestJava} or newer (Debian: apt-get install default-jre-headless)`,
  )
  const major = Number(/version "(\d+)/.exec(stderr)?.[1])
  if (major < oldestJava) {
    throw new Error(
      `The tests run on a real Apache Kafka, which needs Java ${oldestJava} or newer; "${java}" is Java ${major}. Set JAVA_HOME to a newer one.`,
    )
  }
}

async function requireTool(
  command: string,
  versionFlag: string,
  install: string,
): Promise<{ stderr: string }> {
  try {
    return await run(command, [versionFlag])
  } catch (error) {
    throw new Error(
      `The tests run on a real Apache Kafka and need ${install}: "${command} ${versionFlag}" failed.`,
      { cause: error },
    )
  }
}

/** Makes a directory once, also when two processes try at the same time: each fills its own, the first to rename wins. */
async function once(directory: string, fill: (part: string) => Promise<void>): Promise<string> {
  if (existsSync(directory)) return directory
  const part = `${directory}.${process.pid}`
  await mkdir(part, { recursive: true })
  try {
    await fill(part)
    await rename(part, directory)
  } catch (error) {
    await rm(part, { recursive: true, force: true })
    if (!existsSync(directory)) throw error
  }
  return directory
}

async function download(directory: string, cache: string): Promise<void> {
  await requireTool('mvn', '-v', 'Maven (Debian: apt-get install maven)')
  const flags = ['-B', '-q', '-f', join(here, 'pom.xml'), 'dependency:copy-dependencies']
  flags.push(`-DoutputDirectory=${directory}`, '-DincludeScope=runtime')
  if (!isWritable(homedir())) flags.push(`-Dmaven.repo.local=${join(cache, 'maven')}`)
  try {
    await run('mvn', flags, { maxBuffer: 64 * 1024 * 1024 })
  } catch (error) {
    const stdout = error instanceof Error && 'stdout' in error ? String(error.stdout) : ''
    throw new Error(`Maven could not download Apache Kafka ${kafkaVersion}:\n${stdout}`, {
      cause: error,
    })
  }
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK)
    return true
  } catch {
    return false
  }
}

async function format(java: string, classPath: string, directory: string): Promise<void> {
  const configuration = `${directory}.properties`
  const ports = { plaintext: 1, sasl: 2, mtls: 3, saslSsl: 4, controller: 5 }
  await writeFile(configuration, brokerProperties({ dataDirectory: directory, ports }))
  const scram = Object.entries(users).flatMap(([name, password]) =>
    ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
      '--add-scram',
      `${mechanism}=[name=${name},password=${password}]`,
    ]),
  )
  try {
    await run(java, [
      '-Xmx256m',
      '-XX:TieredStopAtLevel=1',
      '-XX:+UseSerialGC',
      `-Dlog4j2.configurationFile=${log4jConfiguration}`,
      ...['-cp', classPath, 'kafka.tools.StorageTool'],
      ...['format', '-t', clusterId, '-c', configuration, ...scram],
    ])
  } finally {
    await rm(configuration)
  }
}

async function makeCertificates(directory: string): Promise<void> {
  await requireTool('openssl', 'version', 'openssl (Debian: apt-get install openssl)')
  await run('bash', [join(here, 'certificates.sh'), directory, certificatePassword])
}
