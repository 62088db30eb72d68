import type { ClusterAdmin } from '../../topology/cluster-admin.ts'
import type { ClusterOptions, ConnectOptions } from '../../topology/cluster-connection.ts'
import { connectClusterAdmin } from '../../topology/connect-cluster-admin.ts'
import type { TopologySource } from '../../topology/parse-topology.ts'
import { checkOf, formatPlanLine, type PlanLine } from '../../topology/plan-line.ts'
import type { TopologyCheck } from '../../topology/finding.ts'
import type { PlanOptions } from '../../topology/plan-options.ts'
import type { CommandCall, CommandOption, CommandOptions } from '../command.ts'

export const clusterOptions: Readonly<
  Record<'bootstrap-servers' | 'principal' | 'vault-config', CommandOption>
> = {
  'bootstrap-servers': {
    type: 'string',
    value: 'HOST:PORT,…',
    doc: 'Brokers instead of those of the file.',
  },
  principal: {
    type: 'string',
    value: 'NAME',
    doc: 'Principal of the file to connect as. Default admin.',
  },
  'vault-config': {
    type: 'string',
    value: 'FILE',
    doc: 'Vault configuration with the secrets. Default: the variable VAULT_CONFIG.',
  },
}

export const planOptions: Readonly<Record<string, CommandOption>> = {
  'allow-partition-increase': {
    type: 'boolean',
    doc: 'Add partitions, after which records of one key go to another one.',
  },
  'allow-shorter-retention': {
    type: 'boolean',
    doc: 'Let topics keep less, upon which Kafka deletes what is older.',
  },
  'prune-acls': {
    type: 'boolean',
    doc: 'Remove rights of principals of the file that the file does not have.',
  },
}

export const skipAclsOption: Readonly<Record<string, CommandOption>> = {
  'skip-acls': { type: 'boolean', doc: 'Leave ACLs alone, and need no right to see them.' },
}

export function planOptionsOf(options: CommandOptions): PlanOptions {
  return {
    allowPartitionIncrease: options.flag('allow-partition-increase'),
    allowShorterRetention: options.flag('allow-shorter-retention'),
    pruneAcls: options.flag('prune-acls'),
    skipAcls: options.flag('skip-acls'),
  }
}

export function clusterOptionsOf({ options, io }: CommandCall): ClusterOptions {
  return {
    environment: options.text('env'),
    variables: io.env,
    bootstrapServers: options.text('bootstrap-servers'),
    vaultConfigPath: options.text('vault-config') ?? io.env['VAULT_CONFIG'],
  }
}

export function connectOptionsOf(call: CommandCall): ConnectOptions {
  return { ...clusterOptionsOf(call), principal: call.options.text('principal') }
}

/** Connects as the options say, and closes whatever comes of it. */
export async function withCluster<Result>(
  source: TopologySource,
  call: CommandCall,
  work: (admin: ClusterAdmin) => Promise<Result>,
): Promise<Result> {
  const admin = await connectClusterAdmin(source, connectOptionsOf(call))
  try {
    return await work(admin)
  } finally {
    await admin.close()
  }
}

export function printLines(lines: readonly PlanLine[], { io }: CommandCall): void {
  for (const line of lines) io.out(`${formatPlanLine(line)}\n`)
}

/** Lines for JSON, with the check that each fails. */
export function withChecks(
  lines: readonly PlanLine[],
): (PlanLine & { readonly check: TopologyCheck })[] {
  return lines.map((line) => ({ check: checkOf(line), ...line }))
}
