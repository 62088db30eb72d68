import { refuseImpossible } from '../../topology/apply-topology.ts'
import { planTopology } from '../../topology/plan-topology.ts'
import { exitCodes, type Command, type CommandCall } from '../command.ts'
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

export const planCommand: Command = {
  name: 'topology plan',
  summary: 'Shows what apply would do, and what it would leave alone. Changes nothing.',
  parameters: 'FILE',
  options: { ...environmentOption, ...clusterOptions, ...planOptions, ...skipAclsOption },
  run: showDifferences,
}

/** @returns 0 when there is none, else 2 */
export async function showDifferences(call: CommandCall): Promise<number> {
  const source = topologyFile(call)
  const topology = checkedTopology(source, call)
  const plan = await withCluster(source, call, (admin) =>
    planTopology(topology, admin, planOptionsOf(call.options)),
  )
  refuseImpossible(plan)
  const { lines } = plan
  if (call.options.flag('json'))
    call.io.out(json({ environment: topology.environment, lines: withChecks(lines) }))
  else {
    printLines(lines, call)
    call.io.out(lines.length === 0 ? 'The cluster is as the file says.\n' : '')
  }
  return lines.length === 0 ? exitCodes.inLine : exitCodes.differences
}
