import type { Command } from '../command.ts'
import { showDifferences } from './plan.ts'
import { environmentOption } from './topology-file.ts'
import { clusterOptions, skipAclsOption } from './with-cluster.ts'

export const verifyCommand: Command = {
  name: 'topology verify',
  summary: 'Reports every difference between the cluster and the file, for CI and cron.',
  parameters: 'FILE',
  options: { ...environmentOption, ...clusterOptions, ...skipAclsOption },
  run: showDifferences,
}
