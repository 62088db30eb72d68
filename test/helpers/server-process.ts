import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { endWithParent } from '../../src/server/embedded/end-with-parent.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const startDeadlineMs = 60_000
const stopDeadlineMs = 60_000

/** The reference server as a process of its own. */
export interface ServerProcess {
  /** Base URL, as printed by the server's first line. */
  readonly url: string
  readonly processId: number
  /** What it wrote to standard error so far, at most the last 100,000 characters. */
  stderr(): string
  /** Resolves when the process is gone, whatever ended it. */
  readonly exited: Promise<void>
  /** SIGKILL. Ends when the process is gone. */
  kill(): Promise<void>
  /** SIGTERM: a graceful stop. Resolves with the exit code; SIGKILL and a failure after a minute. Idempotent. */
  stop(): Promise<number | null>
}

/** Starts `npm start`'s entry, or another that is configured as it is, with these environment variables on a free loopback port, and
 *  waits for its line. `onLogLine` gets every line of standard error. */
export async function startServerProcess(
  env: Readonly<Record<string, string>>,
  entry = 'src/server/main.ts',
  onLogLine?: (line: string) => void,
): Promise<ServerProcess> {
  const child = spawn(process.execPath, ['--import', 'tsx', entry], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, HOST: '127.0.0.1', PORT: '0', ...env },
  })
  if (child.pid === undefined) throw new Error('The server process could not be started.')
  child.once('exit', endWithParent({ processId: child.pid, signal: 'KILL' }))
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve()
    })
  })
  const stderr = collect(child)
  if (onLogLine) createInterface(child.stderr).on('line', onLogLine)
  let url: string
  try {
    url = await readyUrl(child)
  } catch (error) {
    await end(child, 'SIGKILL')
    throw new Error(`The server did not start.\n${stderr()}`, { cause: error })
  }
  return {
    url,
    processId: child.pid,
    stderr,
    exited,
    async kill() {
      await end(child, 'SIGKILL')
    },
    async stop() {
      const timer = setTimeout(() => child.kill('SIGKILL'), stopDeadlineMs)
      await end(child, 'SIGTERM').finally(() => {
        clearTimeout(timer)
      })
      return child.exitCode
    },
  }
}

/** The URL in the first line of standard output that has one. */
async function readyUrl(child: ChildProcess): Promise<string> {
  if (!child.stdout) throw new Error('The server has no standard output.')
  const lines = createInterface(child.stdout)
  const timer = setTimeout(() => child.kill('SIGKILL'), startDeadlineMs)
  try {
    for await (const line of lines) {
      const url = /https?:\/\/\S+/.exec(line)?.[0]
      if (url !== undefined) return url.replace(/[/.,"]+$/, '')
    }
    throw new Error('It ended without a line that has its URL.')
  } finally {
    clearTimeout(timer)
    lines.close()
    // Nobody reads on, and a full pipe would block the server.
    child.stdout.resume()
  }
}

function collect(child: ChildProcess): () => string {
  let text = ''
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-100_000)
  })
  return () => text
}

async function end(child: ChildProcess, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill(signal)
  await exit
}
