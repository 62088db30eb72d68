import { spawn, type ChildProcessByStdio } from 'node:child_process'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { endWithParent } from '../../src/server/embedded/end-with-parent.ts'

/** Starts a script of this folder with its work in `WORKER`, as JSON. It does not outlive the test. */
export function startWorker(
  script: string,
  work: object,
): ChildProcessByStdio<null, Readable, null> {
  const path = fileURLToPath(new URL(script, import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', path], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, WORKER: JSON.stringify(work) },
  })
  if (child.pid === undefined) throw new Error(`${script} could not be started.`)
  child.once('exit', endWithParent({ processId: child.pid, signal: 'KILL' }))
  return child
}
