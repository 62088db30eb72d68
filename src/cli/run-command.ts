import { parseArgs } from 'node:util'
import { isTopicDestinationError } from '../errors.ts'
import { TopologyError } from '../topology/finding.ts'
import {
  exitCodes,
  parseConfigOf,
  usageOf,
  type Command,
  type CommandIo,
  type CommandOptions,
} from './command.ts'
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
import { dryRunCommand, explainCommand } from './fhir/topics.ts'
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

/** Every command, in the order of the usage. */
export const commands: readonly Command[] = [
  destinationsCommand,
  statusCommand,
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
    return await command.run({ positionals, options: optionsOf(values), io })
  } catch (error) {
    return report(error, args.includes('--json'), command, io)
  }
}

function withoutCommand(args: readonly string[], io: CommandIo): number {
  const width = Math.max(...commands.map(({ name }) => name.length))
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`)
  const usage = `fhir-kafka <command> [options]\n\n${lines.join('\n')}\n\nfhir-kafka <command> --help says what a command takes.\n`
  const [first] = args
  if (first === '--help' || first === 'help') {
    io.out(usage)
    return exitCodes.inLine
  }
  io.err(first === undefined ? usage : `There is no command "${args.join(' ')}".\n\n${usage}`)
  return exitCodes.error
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
  const message = messageOf(error, command)
  if (asJson) {
    const findings = error instanceof TopologyError ? error.findings : []
    io.out(`${JSON.stringify({ error: { message, findings } }, undefined, 2)}\n`)
  } else io.err(`${message}\n`)
  return exitCodes.error
}

function messageOf(error: unknown, command: Command): string {
  if (isTopicDestinationError(error)) return error.message
  if (!(error instanceof Error)) return String(error)
  const { code = '' } = error as Error & { code?: string }
  if (code.startsWith('ERR_PARSE_ARGS')) return `${error.message}\n\n${usageOf(command)}`
  return error.stack ?? error.message
}
