import { execFileSync, spawnSync } from 'node:child_process'

export interface ServerUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** PostgreSQL refuses to run as root. Answers the account to run it as then: `postgres` if there is one, else `nobody`;
 *  undefined for every other user, who runs it as himself. */
export function findServerUser(): ServerUser | undefined {
  if (process.getuid?.() !== 0) return undefined
  for (const name of ['postgres', 'nobody']) {
    const uid = idOf(name, '-u')
    const gid = idOf(name, '-g')
    if (uid !== undefined && gid !== undefined) return { name, uid, gid }
  }
  throw new Error(
    'PostgreSQL does not run as root and this machine has neither a user postgres nor a user nobody. Run: useradd --system postgres',
  )
}

function idOf(name: string, flag: '-u' | '-g'): number | undefined {
  try {
    return Number(execFileSync('id', [flag, name], { stdio: ['ignore', 'pipe', 'ignore'] }))
  } catch {
    return undefined
  }
}

/** Whether the user can enter the directory: every folder above it must let him through, too. */
export function reaches(user: ServerUser | undefined, directory: string): boolean {
  const ids = user ? { uid: user.uid, gid: user.gid } : {}
  return (
    spawnSync('/bin/sh', ['-c', 'cd "$1" && ls >/dev/null', 'reaches', directory], {
      ...ids,
      cwd: '/',
      stdio: 'ignore',
    }).status === 0
  )
}
