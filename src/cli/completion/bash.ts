import type { CompletionNode, CompletionOption } from './completion-nodes.ts'

/** For bash from 3.2, as macOS has it. */
export function bashCompletion(nodes: readonly CompletionNode[]): string {
  const paths = nodes.filter(({ path }) => path !== '').map(({ path }) => quoted(path))
  const groups = nodes.filter(({ isGroup }) => isGroup).map(({ path }) => quoted(path))
  return `# bash completion of fhir-kafka: source <(fhir-kafka completion bash)
_fhir_kafka() {
  COMPREPLY=()
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]}
  local command='' word candidates='' files=''
  # --option=value comes as three words.
  if [[ $current == '=' ]]; then current=''
  elif [[ $previous == '=' ]]; then previous=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  local -i index
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    case "\${command:+$command }$word" in
      ${paths.join('|')}) command="\${command:+$command }$word" ;;
      *)
        # Nothing stands behind what is no command.
        case "$command" in ${groups.join('|')}) return ;; esac
        break
        ;;
    esac
  done
  case "$command $previous" in
${nodes.flatMap(({ path, options }) => valueLines(path, options)).join('\n')}
    *)
      case "$command" in
${nodes.map(nodeLine).join('\n')}
      esac
      [[ $current == -* ]] && files=''
      ;;
  esac
  COMPREPLY=($(compgen -W "$candidates" -- "$current"))
  if [[ -n $files ]]; then
    compopt -o filenames 2>/dev/null
    local IFS=$'\\n'
    COMPREPLY+=($(compgen -f -- "$current"))
  fi
}
complete -F _fhir_kafka fhir-kafka
`
}

/** What follows the options of a command. */
function valueLines(path: string, options: readonly CompletionOption[]): string[] {
  const namesByValue = new Map<string, string[]>()
  for (const { name, value } of options) {
    if (value === 'none') continue
    const does =
      value === 'text'
        ? ':'
        : value === 'file'
          ? 'files=1'
          : `candidates=${quoted(value.join(' '))}`
    namesByValue.set(does, [...(namesByValue.get(does) ?? []), quoted(`${path} ${name}`)])
  }
  return [...namesByValue].map(([does, names]) => `    ${names.join('|')}) ${does} ;;`)
}

function nodeLine({ path, words, options, takesFile }: CompletionNode): string {
  const all = [...words.map(({ word }) => word), ...options.map(({ name }) => name)].join(' ')
  return `        ${quoted(path)}) candidates=${quoted(all)}${takesFile ? ' files=1' : ''} ;;`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
