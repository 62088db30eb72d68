import type { CompletionNode } from './completion-nodes.ts'

export function fishCompletion(nodes: readonly CompletionNode[]): string {
  const paths = nodes.filter(({ path }) => path !== '').map(({ path }) => quoted(path))
  const groups = nodes.filter(({ isGroup }) => isGroup).map(({ path }) => quoted(path))
  return `# fish completion of fhir-kafka: fhir-kafka completion fish | source
function __fhir_kafka_is
    set -l command
    for word in (commandline -opc)[2..]
        if contains -- (string join -- ' ' $command $word) ${paths.join(' ')}
            set -a command $word
        else if contains -- "$command" ${groups.join(' ')}
            # Nothing stands behind what is no command.
            return 1
        else
            break
        end
    end
    test "$command" = "$argv[1]"
end
complete -c fhir-kafka -f
${nodes.flatMap(linesOf).join('\n')}
`
}

function linesOf({ path, words, options, takesFile }: CompletionNode): string[] {
  const when = `complete -c fhir-kafka -n ${quoted(`__fhir_kafka_is ${quoted(path)}`)}`
  return [
    ...words.map(({ word, doc }) => `${when} -a ${quoted(word)}${description(doc)}`),
    ...(takesFile ? [`${when} -F`] : []),
    ...options.map(({ name, doc, value }) => {
      const takes =
        value === 'none'
          ? ''
          : value === 'text'
            ? ' -x'
            : value === 'file'
              ? ' -r -F'
              : ` -x -a ${quoted(value.join(' '))}`
      return `${when} -l ${name.slice('--'.length)}${takes}${description(doc)}`
    }),
  ]
}

function description(doc: string): string {
  return doc === '' ? '' : ` -d ${quoted(doc)}`
}

/** fish knows two escapes between single quotes. */
function quoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, (character) => `\\${character}`)}'`
}
