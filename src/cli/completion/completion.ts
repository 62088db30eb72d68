import { exitCodes, type Command } from '../command.ts'
import { bashCompletion } from './bash.ts'
import { completionNodes, type CompletionNode } from './completion-nodes.ts'
import { fishCompletion } from './fish.ts'
import { zshCompletion } from './zsh.ts'

const shells: Readonly<Record<string, (nodes: readonly CompletionNode[]) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
}

/** @param others every other command */
export function completionCommand(others: readonly Command[]): Command {
  const command: Command = {
    name: 'completion',
    summary:
      'Prints a script that completes the commands in a shell: source <(fhir-kafka completion bash).',
    parameters: 'SHELL',
    choices: Object.keys(shells),
    options: {},
    run: ({ positionals, io, options }) => {
      const script = shells[positionals[0] ?? '']?.(completionNodes([...others, command])) ?? ''
      io.out(options.flag('json') ? `${JSON.stringify({ script })}\n` : script)
      return Promise.resolve(exitCodes.inLine)
    },
  }
  return command
}
