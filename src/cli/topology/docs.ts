import { refuseErrors, type TopologyCheck } from '../../topology/finding.ts'
import { topologyPage } from '../../topology/topology-page.ts'
import { validateTopology } from '../../topology/validate-topology.ts'
import { exitCodes, type Command } from '../command.ts'
import { environmentOption, json, topologyFile } from './topology-file.ts'

const unresolved: ReadonlySet<TopologyCheck> = new Set(['schema', 'variable', 'reference'])

export const docsCommand: Command = {
  name: 'topology docs',
  summary: 'Writes a Markdown page about topics, groups, roles and settings. Needs no cluster.',
  parameters: 'FILE',
  options: {
    env: { ...environmentOption.env, doc: 'Only this environment. Default: all of the file.' },
  },
  run: (call) => {
    const { options, io } = call
    const source = topologyFile(call)
    const { findings, topologies } = validateTopology(source, {
      variables: io.env,
      environment: options.text('env'),
    })
    // A page about a cluster with faults is still a page; one without values is none.
    refuseErrors(findings.filter(({ check }) => unresolved.has(check)))
    io.out(options.flag('json') ? json(topologies) : topologyPage(source.document, topologies))
    return Promise.resolve(exitCodes.inLine)
  },
}
