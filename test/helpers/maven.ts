import { execFile } from 'node:child_process'
import { accessSync, constants, mkdirSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Where downloads are kept between runs: `.cache/<name>` in the checkout, else (a checkout we cannot write to) below the
 *  temporary directory. */
export function cacheDirectory(name: string): string {
  const directory = fileURLToPath(new URL(`../../.cache/${name}`, import.meta.url))
  return isWritable(directory, { create: true })
    ? directory
    : createdDirectory(join(tmpdir(), `topic-destination-${name}-${userInfo().uid}`))
}

/** `path/to/java`. @throws Error unless it is `oldest` or newer */
export async function requireJava(oldest: number): Promise<string> {
  const home = process.env['JAVA_HOME']
  const java = home ? join(home, 'bin', 'java') : 'java'
  const install = `a Java runtime, ${oldest} or newer (Debian: apt-get install default-jdk-headless)`
  const { stderr } = await requireTool(java, '-version', install)
  const major = Number(/version "(\d+)/.exec(stderr)?.[1])
  if (major >= oldest) return java
  throw new Error(
    `This needs Java ${oldest} or newer; "${java}" is Java ${major}. Set JAVA_HOME to a newer one.`,
  )
}

/** @throws Error that says what to install */
export async function requireTool(
  command: string,
  versionFlag: string,
  install: string,
): Promise<{ stderr: string }> {
  try {
    return await run(command, [versionFlag])
  } catch (error) {
    throw new Error(`This needs ${install}: "${command} ${versionFlag}" failed.`, { cause: error })
  }
}

/** Copies the jars that the pom names, and theirs, into the directory. */
export async function copyJars(
  pom: string,
  directory: string,
  properties: Readonly<Record<string, string>> = {},
): Promise<void> {
  await maven(pom, 'dependency:copy-dependencies', { ...properties, outputDirectory: directory })
}

/** The class path of a pom, in Maven's own repository. */
export async function mavenClassPath(pom: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'topic-destination-maven-'))
  try {
    const outputFile = join(directory, 'class-path')
    await maven(pom, 'dependency:build-classpath', { 'mdep.outputFile': outputFile })
    return await readFile(outputFile, 'utf8')
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function maven(
  pom: string,
  goal: string,
  properties: Readonly<Record<string, string>>,
): Promise<void> {
  await requireTool('mvn', '-v', 'Maven (Debian: apt-get install maven)')
  const all: Record<string, string> = { includeScope: 'runtime', ...properties }
  // Java asks the system where that is, whatever HOME says.
  if (!isWritable(userInfo().homedir)) all['maven.repo.local'] = join(cacheDirectory('maven'))
  const flags = Object.entries(all).map(([name, value]) => `-D${name}=${value}`)
  try {
    await run('mvn', ['-B', '-q', '-f', pom, goal, ...flags], { maxBuffer: 64 * 1024 * 1024 })
  } catch (error) {
    const stdout = error instanceof Error && 'stdout' in error ? String(error.stdout) : ''
    throw new Error(`Maven could not download what ${pom} names:\n${stdout}`, { cause: error })
  }
}

function isWritable(directory: string, { create = false } = {}): boolean {
  try {
    if (create) mkdirSync(directory, { recursive: true })
    accessSync(directory, constants.W_OK)
    return true
  } catch {
    return false
  }
}

function createdDirectory(directory: string): string {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  return directory
}
