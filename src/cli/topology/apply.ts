import { applyTopology } from '../../topology/apply-topology.ts'
import { formatPlanLine } from '../../topology/plan-line.ts'
import { exitCodes, type Command } from '../command.ts'
import { withProgress } from '../progress.ts'
import { checkedTopology, environmentOption, json, topologyFile } from './topology-file.ts'
import {
  clusterOptions,
  planOptions,
  planOptionsOf,
  printLines,
  skipAclsOption,
  withChecks,
  withCluster,
} from './with-cluster.ts'

export const applyCommand: Command = {
  name: 'topology apply',
  summary:
    'Creates topics and rights, adds partitions, changes settings; never deletes a topic. Exits 2 when something blocked is left.',
  parameters: 'FILE',
  options: { ...environmentOption, ...clusterOptions, ...planOptions, ...skipAclsOption },
  run: async (call) => {
    const { options, io } = call
    const source = topologyFile(call)
    const topology = checkedTopology(source, call)
    const { applied, left } = await withProgress(io, (tell) =>
      withCluster(source, call, (admin) =>
        applyTopology(topology, admin, {
          ...planOptionsOf(options),
          onLine: (line, index, count) => {
            tell(index + 1, count, formatPlanLine(line))
          },
        }),
      ),
    )
    if (options.flag('json')) {
      const { environment } = topology
      io.out(json({ environment, applied: withChecks(applied), left: withChecks(left) }))
    } else {
      printLines(applied, call)
      if (left.length > 0) io.out('Left as it is:\n')
      printLines(left, call)
      io.out(`${applied.length} applied, ${left.length} left\n`)
    }
    return left.length === 0 ? exitCodes.inLine : exitCodes.differences
  },
}
