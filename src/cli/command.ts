import type { ParseArgsConfig } from 'node:util'

/** What the commands exit with. */
export const exitCodes = {
  /** Everything is as it should be. */
  inLine: 0,
  /** The command could not do its work. */
  error: 1,
  /** It could, and there is something to look at: differences, dead letters, a job that failed. */
  differences: 2,
} as const

/** A subcommand of `fhir-kafka`. */
export interface Command {
  /** Its words: `topology plan`. */
  readonly name: string
  readonly summary: string
  /** What stands behind its words, for the usage: `FILE`. */
  readonly parameters: string
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
  /** Ends what goes on for ever; absent: nothing does. */
  readonly stopped?: AbortSignal
}

export const commonOptions: Readonly<Record<'json' | 'help', CommandOption>> = {
  json: { type: 'boolean', doc: 'Print JSON.' },
  help: { type: 'boolean', doc: 'Say what the command takes.' },
}

export function parseConfigOf(command: Command): NonNullable<ParseArgsConfig['options']> {
  return Object.fromEntries(allOptions(command).map(([name, { type }]) => [name, { type }]))
}

function allOptions({ options }: Command): [string, CommandOption][] {
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
