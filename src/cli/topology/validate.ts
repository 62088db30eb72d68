import { formatFinding, TopologyError, type LocatedFinding } from '../../topology/finding.ts'
import { readText } from '../../topology/read-topology.ts'
import { validateTopology } from '../../topology/validate-topology.ts'
import { counted } from '../counted.ts'
import { exitCodes, type Command, type CommandCall } from '../command.ts'
import { environmentOption, json, topologyFile } from './topology-file.ts'

export const validateCommand: Command = {
  name: 'topology validate',
  summary: 'Checks a file: syntax, form, and the checks L1 to L10. Needs no cluster.',
  parameters: 'FILE',
  options: {
    env: { ...environmentOption.env, doc: 'Only this environment. Default: all of the file.' },
    page: {
      type: 'string',
      value: 'FILE',
      doc: 'A page about the topics, which must name them all and no others.',
    },
  },
  run: (call) => {
    const { options, io, positionals } = call
    const findings = findingsOf(call)
    const [file] = positionals
    const errors = findings.filter(({ severity }) => severity === 'error').length
    if (options.flag('json')) io.out(json({ file, findings }))
    else {
      for (const finding of findings) io.out(`${formatFinding(finding)}\n`)
      io.out(
        `${file}: ${counted(errors, 'error')}, ${counted(findings.length - errors, 'warning')}\n`,
      )
    }
    return Promise.resolve(errors === 0 ? exitCodes.inLine : exitCodes.error)
  },
}

/** All that is wrong, also with a file that is no document. */
function findingsOf(call: CommandCall): readonly LocatedFinding[] {
  const { options, io } = call
  const page = options.text('page')
  try {
    return validateTopology(topologyFile(call), {
      variables: io.env,
      environment: options.text('env'),
      page: page === undefined ? undefined : { file: page, text: readText(page) },
    }).findings
  } catch (error) {
    if (error instanceof TopologyError && error.findings.length > 0) return error.findings
    throw error
  }
}
