import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { endWithParent } from '../../src/server/embedded/end-with-parent.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** `fhir-kafka` as a process of its own. */
export interface CliProcess {
  readonly text: (stream: 'out' | 'err') => string
  /** Waits until a stream has this.
   *  @throws when the process ends without it */
  readonly until: (stream: 'out' | 'err', pattern: RegExp) => Promise<RegExpExecArray>
  readonly signal: (name: NodeJS.Signals) => void
  /** The exit code, once both streams have been read to their end. */
  readonly exited: Promise<number | null>
}

/** @param env beside that of this process; killed when `t` ends */
export function startCli(
  t: TestContext,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): CliProcess {
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  if (child.pid === undefined) throw new Error('The command could not be started.')
  child.once('exit', endWithParent({ processId: child.pid, signal: 'KILL' }))
  t.after(() => child.kill('SIGKILL'))
  const texts = { out: '', err: '' }
  let isOver = false
  const changes = new EventEmitter()
  for (const [name, stream] of [
    ['out', child.stdout],
    ['err', child.stderr],
  ] as const) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      texts[name] += chunk
      changes.emit('change')
    })
  }
  const exited = once(child, 'close').then(([code]) => {
    isOver = true
    changes.emit('change')
    return code as number | null
  })
  return {
    text: (stream) => texts[stream],
    until: async (stream, pattern) => {
      for (;;) {
        const found = pattern.exec(texts[stream])
        if (found) return found
        if (isOver) throw new Error(`It ended without ${pattern.source}:\n${texts.out}${texts.err}`)
        await once(changes, 'change')
      }
    },
    signal: (name) => child.kill(name),
    exited,
  }
}
