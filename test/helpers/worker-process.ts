import { spawn, type ChildProcessByStdio } from 'node:child_process'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { endWithParent } from '../../src/server/embedded/end-with-parent.ts'

/** Starts a script with its work in `WORKER`, as JSON. It does not outlive the test. */
export function startWorker(script: URL, work: object): ChildProcessByStdio<null, Readable, null> {
  const child = spawn(process.execPath, ['--import', 'tsx', fileURLToPath(script)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, WORKER: JSON.stringify(work) },
  })
  if (child.pid === undefined) throw new Error(`${script.pathname} could not be started.`)
  child.once('exit', endWithParent({ processId: child.pid, signal: 'KILL' }))
  return child
}
