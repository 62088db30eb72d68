import { exitCodeRows, type Command } from '../src/cli/command.ts'
import { commands } from '../src/cli/run-command.ts'
import { markdownTable } from '../src/markdown-table.ts'

const isOfTopology = ({ name }: Command): boolean => name.startsWith('topology ')

/** What is generated about the command line, by the name of the part. */
export const commandParts: Readonly<Record<string, () => string>> = {
  commands: () => commandTable(commands.filter((command) => !isOfTopology(command))),
  'topology-commands': () => commandTable(commands.filter(isOfTopology)),
  'exit-codes': () => markdownTable(['exit code', 'meaning'], exitCodeRows),
}

function commandTable(of: readonly Command[]): string {
  return markdownTable(
    ['command', 'does', 'options'],
    of.map(({ name, parameters, summary, options }) => [
      `\`${[name, parameters].filter(Boolean).join(' ')}\``,
      summary,
      Object.keys(options)
        .map((option) => `\`--${option}\``)
        .join(', '),
    ]),
  )
}
