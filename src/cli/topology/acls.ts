import { aclFormats, formatAcls } from '../../topology/acl-formats/format-acls.ts'
import { exitCodes, type Command } from '../command.ts'
import { checkedTopology, environmentOption, topologyFile } from './topology-file.ts'

export const aclsCommand: Command = {
  name: 'topology acls',
  summary: 'Writes the rights of roles and FHIR destinations for another tool. Needs no cluster.',
  parameters: 'FILE',
  options: {
    ...environmentOption,
    format: {
      type: 'string',
      value: 'NAME',
      choices: aclFormats,
      doc: `${aclFormats.join(', ')}. Default kafka-acls.`,
    },
  },
  run: (call) => {
    const { options, io } = call
    const asked = options.flag('json') ? 'json' : options.text('format')
    const format = aclFormats.find((each) => each === asked) ?? 'kafka-acls'
    const source = topologyFile(call)
    io.out(formatAcls(checkedTopology(source, call).acls, format, source.document))
    return Promise.resolve(exitCodes.inLine)
  },
}
