import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { endWithParent } from '../../src/server/embedded/end-with-parent.ts'
import type { ModuleOptions } from '../../src/options.ts'
import type { RelaySettings } from '../../test/integration/delivery/relay-process.ts'
import type { BareProcessSettings } from './bare-process.ts'

export interface BenchProcess {
  readonly processId: number
  /** Has it begin what it waits for. */
  go(): void
  signal(signal: 'SIGSTOP' | 'SIGKILL'): void
  /** SIGKILL, also when it hangs. Idempotent; resolves when it is gone. */
  end(): Promise<void>
}

/** A node of its own with the module loaded, as the options say and else by its defaults. */
export async function startRelay(
  connectionString: string,
  options: Partial<ModuleOptions> = {},
): Promise<BenchProcess> {
  const settings: RelaySettings = {
    connectionString,
    // That process has shorter ones.
    options: { registryLeaseMs: 500, pollIntervalMs: 250, ...options },
  }
  return start('../../test/integration/delivery/relay-process.ts', settings)
}

/** A process that has its records ready and its producer connected, and sends when it is told to. */
export async function startBareProducer(settings: BareProcessSettings): Promise<BenchProcess> {
  return start('./bare-process.ts', settings)
}

/** Resolves when the process has printed its first line. */
async function start(script: string, settings: object): Promise<BenchProcess> {
  const file = fileURLToPath(new URL(script, import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', file, JSON.stringify(settings)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  if (child.pid === undefined) throw new Error(`${script} could not be started`)
  child.once('exit', endWithParent({ processId: child.pid, signal: 'KILL' }))
  await firstLine(child, script)
  return {
    processId: child.pid,
    go: () => child.stdin.write('go\n'),
    signal: (signal) => child.kill(signal),
    end: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exit = once(child, 'exit')
      child.kill('SIGKILL')
      await exit
    },
  }
}

async function firstLine(child: ChildProcess, script: string): Promise<void> {
  if (!child.stdout) throw new Error(`${script} has no standard output`)
  const lines = createInterface(child.stdout)
  const ended = once(child, 'exit').then(() => {
    throw new Error(`${script} ended before it was ready`)
  })
  await Promise.race([once(lines, 'line'), ended])
  ended.catch(() => undefined)
}
