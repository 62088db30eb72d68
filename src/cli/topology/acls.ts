import { aclFormats, formatAcls, type AclFormat } from '../../topology/acl-formats/format-acls.ts'
import { TopologyError } from '../../topology/finding.ts'
import { exitCodes, type Command } from '../command.ts'
import { checkedTopology, environmentOption, topologyFile } from './topology-file.ts'

export const aclsCommand: Command = {
  name: 'topology acls',
  summary: 'Writes the rights of roles and FHIR destinations for another tool. Needs no cluster.',
  parameters: 'FILE',
  options: {
    ...environmentOption,
    format: { type: 'string', value: 'NAME', doc: `${aclFormats.join(', ')}. Default kafka-acls.` },
  },
  run: (call) => {
    const { options, io } = call
    const format = options.flag('json') ? 'json' : (options.text('format') ?? 'kafka-acls')
    if (!isAclFormat(format)) {
      throw new TopologyError(`There is no format "${format}"; there are ${aclFormats.join(', ')}.`)
    }
    const source = topologyFile(call)
    io.out(formatAcls(checkedTopology(source, call).acls, format, source.document))
    return Promise.resolve(exitCodes.inLine)
  },
}

function isAclFormat(text: string): text is AclFormat {
  return (aclFormats as readonly string[]).includes(text)
}
