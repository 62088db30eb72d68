import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { constants } from 'node:os'
import { finished } from 'node:stream/promises'

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

// A signal comes to the process, whatever runs in it.
const runningGroups = new Set<number>()
let receivedSignal: NodeJS.Signals | undefined

/** Runs a command, and ends it and all it started when this process ends before it. A signal to this process is passed on, see
 *  {@link exitOnSignal}; this never resolves then.
 *  @throws Error when it cannot be started */
export async function runCommand(
  [command = '', ...args]: readonly string[],
  { cwd, env, timeoutMs = 0, logFile }: CommandOptions = {},
): Promise<CommandResult> {
  exitOnSignal()
  // A process group of its own, so that it can be ended as a whole.
  const child = spawn(command, args, {
    cwd,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const { pid } = child
  if (pid !== undefined) runningGroups.add(pid)
  const end = () => {
    if (pid !== undefined) signalGroup(pid, 'SIGKILL')
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
    // Not before everybody who was given the pipes has ended.
    const [code] = (await once(child, 'close')) as [number | null]
    return { code, output }
  } finally {
    process.off('exit', end)
    clearTimeout(timer)
    if (log) await finished(log.end())
    if (pid !== undefined) runningGroups.delete(pid)
    await neverAfterSignal()
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

/** From now on SIGINT and SIGTERM go to every command that runs and all it started; when they have ended, this process exits with 128 and
 *  the signal's number, as shells do. A second signal kills them. What is to be done at the end belongs to the event `exit`. */
export function exitOnSignal(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    if (!process.listeners(signal).includes(passOn)) process.on(signal, passOn)
  }
}

function passOn(signal: NodeJS.Signals): void {
  const toSend = receivedSignal === undefined ? signal : 'SIGKILL'
  receivedSignal ??= signal
  for (const pid of runningGroups) signalGroup(pid, toSend)
  exitWhenEnded(receivedSignal)
}

function exitWhenEnded(signal: NodeJS.Signals): void {
  if (runningGroups.size === 0) process.exit(128 + constants.signals[signal])
}

/** The script must not go on with its next command, or report on this one. */
async function neverAfterSignal(): Promise<void> {
  if (receivedSignal === undefined) return
  exitWhenEnded(receivedSignal)
  await new Promise<never>(() => undefined)
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch {
    // Nobody is left in it.
  }
}
