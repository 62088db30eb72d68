import { allOptions, type Command, type CommandOption } from '../command.ts'

/** What can stand behind the words of a command, or behind the first words of several. */
export interface CompletionNode {
  /** `topology dlq`; empty for the beginning. */
  readonly path: string
  /** Whether the words of commands go on behind it. */
  readonly isGroup: boolean
  readonly words: readonly { readonly word: string; readonly doc: string }[]
  readonly options: readonly CompletionOption[]
  /** Whether its argument may be a file. */
  readonly takesFile: boolean
}

export interface CompletionOption {
  /** With its dashes. */
  readonly name: string
  readonly doc: string
  readonly value: 'none' | 'file' | 'text' | readonly string[]
}

/** Names of values and arguments that may be files. */
const fileNames: ReadonlySet<string> = new Set(['FILE', 'STATE', 'TOPIC'])

export function completionNodes(commands: readonly Command[]): CompletionNode[] {
  const groups = new Set(commands.flatMap(({ name }) => beginnings(name)))
  return [
    ...[...groups].map((path) => ({
      path,
      isGroup: true,
      words: wordsBehind(path, commands, groups),
      options: [],
      takesFile: false,
    })),
    ...commands.map((command) => ({
      path: command.name,
      isGroup: false,
      words: (command.choices ?? []).map((word) => ({ word, doc: '' })),
      options: allOptions(command).map(([name, option]) => ({
        name: `--${name}`,
        doc: option.doc,
        value: valueOf(option),
      })),
      takesFile: fileNames.has(command.parameters.split(' ')[0] ?? ''),
    })),
  ]
}

function valueOf({ type, value = '', choices }: CommandOption): CompletionOption['value'] {
  if (choices) return choices
  if (type === 'boolean') return 'none'
  return fileNames.has(value) ? 'file' : 'text'
}

/** Of `topology dlq ls`: nothing, `topology`, `topology dlq`. */
function beginnings(name: string): string[] {
  const words = name.split(' ')
  return words.map((_word, index) => words.slice(0, index).join(' '))
}

function wordsBehind(
  path: string,
  commands: readonly Command[],
  groups: ReadonlySet<string>,
): CompletionNode['words'] {
  const prefix = path === '' ? '' : `${path} `
  const words = new Map<string, string>()
  for (const { name, summary } of commands) {
    if (!name.startsWith(prefix)) continue
    const word = name.slice(prefix.length).split(' ')[0] ?? ''
    words.set(word, groups.has(`${prefix}${word}`) ? '' : summary)
  }
  return [...words].map(([word, doc]) => ({ word, doc }))
}
