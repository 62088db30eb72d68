import { parseArgs } from 'node:util'
import { isTopicDestinationError, TopicDestinationError } from '../errors.ts'
import { TopologyError } from '../topology/finding.ts'
import { closestName } from '../triggers/closest-name.ts'
import {
  allOptions,
  exitCodeRows,
  exitCodes,
  parseConfigOf,
  usageOf,
  type Command,
  type CommandIo,
  type CommandOptions,
} from './command.ts'
import { completionCommand } from './completion/completion.ts'
import { demoCommand } from './demo/demo.ts'
import {
  backfillCommand,
  cancelCommand,
  deadLettersCommand,
  discardCommand,
  redriveCommand,
  replayCommand,
} from './fhir/deliver-again.ts'
import { destinationsCommand } from './fhir/destinations.ts'
import { statusCommand } from './fhir/status.ts'
import { tailCommand } from './fhir/tail.ts'
import { dryRunCommand, explainCommand } from './fhir/topics.ts'
import { migrateCommand } from './migrate/migrate.ts'
import { printable } from './printable.ts'
import { serveCommand } from './serve.ts'
import { tellError } from './tell-error.ts'
import { aclsCommand } from './topology/acls.ts'
import { applyCommand } from './topology/apply.ts'
import { dlqLsCommand } from './topology/dlq-ls.ts'
import { dlqPurgeCommand } from './topology/dlq-purge.ts'
import { dlqRedriveCommand } from './topology/dlq-redrive.ts'
import { dlqShowCommand } from './topology/dlq-show.ts'
import { docsCommand } from './topology/docs.ts'
import { healthCommand } from './topology/health.ts'
import { importCommand } from './topology/import.ts'
import { planCommand } from './topology/plan.ts'
import { validateCommand } from './topology/validate.ts'
import { verifyCommand } from './topology/verify.ts'

const commandsOfWork: readonly Command[] = [
  serveCommand,
  demoCommand,
  migrateCommand,
  destinationsCommand,
  statusCommand,
  tailCommand,
  deadLettersCommand,
  redriveCommand,
  discardCommand,
  replayCommand,
  backfillCommand,
  cancelCommand,
  explainCommand,
  dryRunCommand,
  validateCommand,
  planCommand,
  applyCommand,
  verifyCommand,
  healthCommand,
  aclsCommand,
  docsCommand,
  importCommand,
  dlqLsCommand,
  dlqShowCommand,
  dlqRedriveCommand,
  dlqPurgeCommand,
]

/** Every command, in the order of the usage. */
export const commands: readonly Command[] = [...commandsOfWork, completionCommand(commandsOfWork)]

/** Runs `fhir-kafka <args>`.
 *  @returns the exit code, one of `exitCodes` */
export async function runCommand(args: readonly string[], io: CommandIo): Promise<number> {
  const command = commands.find(({ name }) =>
    name.split(' ').every((word, index) => args[index] === word),
  )
  if (!command) return withoutCommand(args, io)
  try {
    const { values, positionals } = parseArgs({
      args: args.slice(command.name.split(' ').length),
      options: parseConfigOf(command),
      allowPositionals: true,
    })
    if (values['help'] === true) {
      io.out(usageOf(command))
      return exitCodes.inLine
    }
    refuseOtherWords(command, positionals, values)
    return await command.run({ positionals, options: optionsOf(values), io })
  } catch (error) {
    return report(error, args.includes('--json'), command, io)
  }
}

/** @throws TopicDestinationError `KTD_INVALID_OPTION` for what is none of the choices, or no argument of the command */
function refuseOtherWords(
  { name, parameters, choices, options }: Command,
  positionals: readonly string[],
  values: Readonly<Record<string, unknown>>,
): void {
  const refuse = (what: string, allowed: readonly string[]): void => {
    throw new TopicDestinationError('KTD_INVALID_OPTION', `${what} ${allowed.join(', ')}.`)
  }
  if (parameters === '' && positionals.length > 0) {
    throw new TopicDestinationError(
      'KTD_INVALID_OPTION',
      `${name} takes options only, not ${positionals.join(' ')}.`,
    )
  }
  const isChoice = positionals.length === 1 && choices?.includes(positionals[0] ?? '')
  if (choices && isChoice !== true) refuse(`${name} takes one of`, choices)
  for (const [option, { choices: allowed }] of Object.entries(options)) {
    const value = values[option]
    if (allowed && typeof value === 'string' && !allowed.includes(value)) {
      refuse(`There is no ${option} "${value}"; there are`, allowed)
    }
  }
}

function withoutCommand(args: readonly string[], io: CommandIo): number {
  const words = args.filter((word) => word !== '--help' && word !== 'help')
  const group = commands.filter(({ name }) => name.startsWith(`${words.join(' ')} `))
  const isAsked = args.length > words.length
  if (isAsked && (words.length === 0 || group.length > 0)) {
    io.out(usageOfCommands(words.length === 0 ? commands : group))
    return exitCodes.inLine
  }
  if (words.length === 0) io.err(usageOfCommands(commands))
  else tellError(io, args.includes('--json'), unknownCommand(words))
  return exitCodes.error
}

/** In one line, as a list of all commands would push it out of sight. */
function unknownCommand(args: readonly string[]): string {
  const end = args.findIndex((word) => word.startsWith('-'))
  const words = args.slice(0, end <= 0 ? undefined : end)
  const listed = 'fhir-kafka --help lists them.'
  const there = `There is no command "${printable(words.join(' '))}"`
  const names = commands.map(({ name }) => name)
  const group = names.filter((name) => name.split(' ')[0] === words[0])
  // Words behind those of a command are its arguments.
  const [close] = [3, 2, 1]
    .map((count) => words.slice(0, count).join(' '))
    .flatMap((text) => closestName(text, names) ?? [])
  if (close !== undefined) return `${there}. Did you mean ${close}? ${listed}`
  if (group.length > 0) return `${there}; there are ${group.join(', ')}.`
  return `${there}. ${listed}`
}

function usageOfCommands(listed: readonly Command[]): string {
  const width = Math.max(...listed.map(({ name }) => name.length))
  const lines = listed.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`)
  const codes = exitCodeRows.map(([code, meaning]) => `  ${code}  ${meaning}`)
  return `fhir-kafka <command> [options]

${lines.join('\n')}

Ends with
${codes.join('\n')}

fhir-kafka <command> --help says what a command takes.
`
}

function optionsOf(values: Readonly<Record<string, unknown>>): CommandOptions {
  return {
    text: (name) => {
      const value = values[name]
      return typeof value === 'string' ? value : undefined
    },
    flag: (name) => values[name] === true,
  }
}

/** Errors that somebody can mend are told in their own words; anything else with its stack. */
function report(error: unknown, asJson: boolean, command: Command, io: CommandIo): number {
  const findings = error instanceof TopologyError ? error.findings : []
  tellError(io, asJson, messageOf(error, command), findings)
  return exitCodes.error
}

function messageOf(error: unknown, command: Command): string {
  if (isTopicDestinationError(error)) return error.message
  if (!(error instanceof Error)) return String(error)
  const { code = '' } = error as Error & { code?: string }
  if (code.startsWith('ERR_PARSE_ARGS')) {
    const what = unknownOption(error.message, command) ?? error.message.replace(/\.?$/, '.')
    return `${what} fhir-kafka ${command.name} --help says what it takes.`
  }
  const missing = /^Cannot find package '([^']+)'/.exec(error.message)?.[1]
  if (code === 'ERR_MODULE_NOT_FOUND' && missing !== undefined) {
    return `${command.name} needs the package ${missing}: npm install ${missing}`
  }
  return error.stack ?? error.message
}

/** Instead of Node's words, which go on about arguments with a dash. */
function unknownOption(message: string, command: Command): string | undefined {
  const option = /^Unknown option '(-[^']*)'/.exec(message)?.[1]
  if (option === undefined) return undefined
  const names = allOptions(command).map(([name]) => `--${name}`)
  const close = closestName(option, names)
  const hint = close === undefined ? '' : ` Did you mean ${close}?`
  return `${command.name} has no option ${printable(option)}.${hint}`
}
