import { serverVariables, type ServerVariable } from '../server/options.ts'
import type { Command, CommandCall, CommandOption } from './command.ts'
import { tellError } from './tell-error.ts'

const variables = Object.values(serverVariables)

export const serveCommand: Command = {
  name: 'serve',
  summary:
    'Runs the reference FHIR server until SIGINT or SIGTERM. Each option stands for an environment variable: --port for PORT.',
  parameters: '',
  options: Object.fromEntries(
    variables.map((variable) => [optionOf(variable), serverOption(variable)]),
  ),
  run: serve,
}

async function serve({ options, io }: CommandCall): Promise<number> {
  const settings: NodeJS.ProcessEnv = { ...io.env }
  for (const variable of variables) {
    settings[variable.name] = options.text(optionOf(variable)) ?? io.env[variable.name]
  }
  const { readyText, runServer } = await import('../server/run-server.ts')
  return runServer(settings, {
    ready: (addresses) => {
      io.out(options.flag('json') ? `${JSON.stringify(addresses)}\n` : readyText(addresses))
    },
    failed: (why) => {
      tellError(io, options.flag('json'), why)
    },
  })
}

/** `PORT` is `--port`. */
function optionOf({ name }: ServerVariable): string {
  return name.toLowerCase().replaceAll('_', '-')
}

function serverOption(variable: ServerVariable): CommandOption {
  const { kind, doc } = variable
  const choices =
    kind === 'boolean' ? ['true', 'false'] : kind === 'text' ? variable.allowed : undefined
  const fallback = variable.default === undefined ? '' : ` Default: ${String(variable.default)}.`
  const warning =
    kind === 'text' && variable.secret === true
      ? ' Others on the machine see arguments: better the variable.'
      : ''
  return {
    type: 'string',
    value: kind === 'integer' ? 'N' : (choices?.join('|') ?? 'TEXT'),
    ...(choices ? { choices } : {}),
    doc: `${doc}${fallback}${warning}`,
  }
}
