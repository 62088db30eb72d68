import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'

export interface CommandOptions {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  /** SIGKILL after it. Default: never. */
  readonly timeoutMs?: number
  /** Gets the output as it comes. */
  readonly logFile?: string
}

export interface CommandResult {
  /** `null` when a signal ended it. */
  readonly code: number | null
  /** Standard output and error as they came. */
  readonly output: string
}

/** Runs a command, and ends it and all it started when this process ends before it.
 *  @throws Error when it cannot be started */
export async function runCommand(
  [command = '', ...args]: readonly string[],
  { cwd, env, timeoutMs = 0, logFile }: CommandOptions = {},
): Promise<CommandResult> {
  // A process group of its own, so that it can be ended as a whole.
  const child = spawn(command, args, {
    cwd,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const { pid } = child
  const end = () => {
    if (pid !== undefined && child.exitCode === null) process.kill(-pid, 'SIGKILL')
  }
  // Before the directory is removed that it works in.
  process.prependOnceListener('exit', end)
  const timer = timeoutMs > 0 ? setTimeout(end, timeoutMs) : undefined
  const log = logFile === undefined ? undefined : createWriteStream(logFile)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      log?.write(text)
    })
  }
  try {
    const [code] = (await once(child, 'close')) as [number | null]
    return { code, output }
  } finally {
    process.off('exit', end)
    clearTimeout(timer)
    log?.end()
  }
}

/** @returns what it printed
 *  @throws Error with what it printed unless it succeeds */
export async function outputOf(
  command: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { code, output } = await runCommand(command, options)
  if (code === 0) return output
  throw new Error(`"${command.join(' ')}" failed:\n${output.slice(-10_000)}`)
}
