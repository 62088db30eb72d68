import { formatFinding } from '../../topology/finding.ts'
import { validateTopology } from '../../topology/validate-topology.ts'
import { exitCodes, type Command } from '../command.ts'
import { environmentOption, json, readText, topologyFile } from './topology-file.ts'

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
    const { options, io } = call
    const source = topologyFile(call)
    const [environment, page] = [options.text('env'), options.text('page')]
    const { findings } = validateTopology(source, {
      variables: io.env,
      ...(environment === undefined ? {} : { environment }),
      ...(page === undefined ? {} : { page: { file: page, text: readText(page) } }),
    })
    const errors = findings.filter(({ severity }) => severity === 'error').length
    if (options.flag('json')) io.out(json({ file: source.file, findings }))
    else {
      for (const finding of findings) io.out(`${formatFinding(finding)}\n`)
      io.out(`${source.file}: ${errors} errors, ${findings.length - errors} warnings\n`)
    }
    return Promise.resolve(errors === 0 ? exitCodes.inLine : exitCodes.error)
  },
}
