import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cacheDirectory, copyJars, requireJava, requireTool } from '../maven.ts'
import { brokerProperties, certificatePassword, users } from './properties.ts'

const run = promisify(execFile)
const here = fileURLToPath(new URL('.', import.meta.url))
// Of 4.4.0, parts are not published.
const kafkaVersion = process.env['KAFKA_VERSION'] ?? '4.3.1'
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

/** The version in the variable `KAFKA_VERSION`, by default the newest that is published as a whole; kept in `KAFKA_CACHE`, else `.cache/kafka` in the checkout, else (a checkout we cannot write to) below the temporary directory. */
export async function installKafka(): Promise<KafkaInstallation> {
  const cache = kafkaCache()
  const java = await requireJava(17)
  const jars = await once(join(cache, `jars-${kafkaVersion}`), (directory) =>
    copyJars(join(here, 'pom.xml'), directory, { 'kafka.version': kafkaVersion }),
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

/** What runs a command line tool of that version: `java -cp <classPath> <class>`. */
export async function installKafkaTools(): Promise<Pick<KafkaInstallation, 'java' | 'classPath'>> {
  const { java, classPath } = await installKafka()
  const tools = await once(join(kafkaCache(), `tools-${kafkaVersion}`), (directory) =>
    copyJars(join(here, '../kafka-tools/pom.xml'), directory, { 'kafka.version': kafkaVersion }),
  )
  return { java, classPath: `${join(tools, '*')}:${classPath}` }
}

function kafkaCache(): string {
  return process.env['KAFKA_CACHE'] ?? cacheDirectory('kafka')
}

export const log4jConfiguration: string = join(here, 'log4j2.properties')

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
