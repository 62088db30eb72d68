import type { ParseArgsConfig } from 'node:util'

/** What the commands exit with. */
export const exitCodes = { inLine: 0, error: 1, differences: 2 } as const

/** What they mean, for the usage and docs/command-line.md. */
export const exitCodeRows: readonly (readonly [code: string, meaning: string])[] = [
  [String(exitCodes.inLine), 'Done, and there is nothing to look at.'],
  [
    String(exitCodes.error),
    'The command could not do it: wrong arguments, nobody answers, refused.',
  ],
  [
    String(exitCodes.differences),
    'Done, and somebody should look: a difference, a missing migration, a destination in error or in trouble now, dead letters, undecided events, a job that was waited for or a round trip that failed.',
  ],
  [
    '137',
    "Whatever it has printed: a call of Kafka's client did not end within 35 seconds after it, as when the resolver does not answer, and nothing but SIGKILL ends that.",
  ],
]

/** A subcommand of `fhir-kafka`. */
export interface Command {
  /** Its words: `topology plan`. */
  readonly name: string
  readonly summary: string
  /** What stands behind its words, for the usage: `FILE`. */
  readonly parameters: string
  /** The only words that it takes there. */
  readonly choices?: readonly string[]
  readonly options: Readonly<Record<string, CommandOption>>
  /** @returns the exit code
   *  @throws TopicDestinationError what `main` prints, with exit code 1 */
  run(call: CommandCall): Promise<number>
}

export interface CommandOption {
  readonly type: 'string' | 'boolean'
  readonly doc: string
  /** Name of its value, for the usage. */
  readonly value?: string
  /** The only values that it takes. */
  readonly choices?: readonly string[]
}

/** The arguments of one call. */
export interface CommandCall {
  readonly positionals: readonly string[]
  readonly options: CommandOptions
  readonly io: CommandIo
}

/** Typed look-ups of parsed options. */
export interface CommandOptions {
  text(name: string): string | undefined
  flag(name: string): boolean
}

/** The world of a command. */
export interface CommandIo {
  readonly env: NodeJS.ProcessEnv
  /** Whether somebody watches stderr. */
  readonly isTerminal: boolean
  out(text: string): void
  err(text: string): void
  /** To be called by what goes on for ever, from when on it ends by this signal; absent: nothing ends it. */
  readonly stopped?: () => AbortSignal
}

export const commonOptions: Readonly<Record<'json' | 'help', CommandOption>> = {
  json: { type: 'boolean', doc: 'Print JSON.' },
  help: { type: 'boolean', doc: 'Say what the command takes.' },
}

export function parseConfigOf(command: Command): NonNullable<ParseArgsConfig['options']> {
  return Object.fromEntries(allOptions(command).map(([name, { type }]) => [name, { type }]))
}

/** Its own and the common ones. */
export function allOptions({ options }: Command): [string, CommandOption][] {
  return Object.entries({ ...options, ...commonOptions })
}

export function usageOf(command: Command): string {
  const rows = allOptions(command).map(([name, { value, doc }]) => [
    `--${name}${value === undefined ? '' : ` ${value}`}`,
    doc,
  ])
  const width = Math.max(...rows.map(([left = '']) => left.length))
  const lines = rows.map(([left = '', doc = '']) => `  ${left.padEnd(width)}  ${doc}`)
  const call = ['fhir-kafka', command.name, command.parameters, '[options]']
    .filter(Boolean)
    .join(' ')
  return `${call}\n\n${command.summary}\n\n${lines.join('\n')}\n`
}
