import type * as Retry from '../../retry/index.ts'
import type { KafkaConnection } from '../../retry/index.ts'
import { TopologyError } from '../../topology/finding.ts'
import type { TopologySource } from '../../topology/parse-topology.ts'
import type { ResolvedTopology } from '../../topology/resolved-topology.ts'
import type { CommandCall, CommandOption, CommandOptions } from '../command.ts'
import { checkedTopology, environmentOption, topologyFile } from './topology-file.ts'
import { clusterOptions, connectOptionsOf } from './with-cluster.ts'

export const deadLetterOptions: Readonly<Record<string, CommandOption>> = {
  ...environmentOption,
  ...clusterOptions,
}

export const selectionOptions: Readonly<Record<string, CommandOption>> = {
  limit: { type: 'string', value: 'NUMBER', doc: 'Most dead letters.' },
  'error-class': {
    type: 'string',
    value: 'NAME',
    doc: 'Only dead letters with this x-error-class.',
  },
}

/** What the commands about dead letters begin with. */
export interface DeadLetterCall {
  /** Loaded here: it is the part that needs node-rdkafka. */
  readonly retry: typeof Retry
  readonly source: TopologySource
  readonly topology: ResolvedTopology
  readonly topic: string
  readonly connection: KafkaConnection
}

/** @throws {@link TopologyError} when something else than a file and a topic is given */
export async function deadLetterCall(call: CommandCall): Promise<DeadLetterCall> {
  const [file, topic, ...others] = call.positionals
  if (file === undefined || topic === undefined || others.length > 0) {
    throw new TopologyError('The command takes a file and a topic.')
  }
  const source = topologyFile({ ...call, positionals: [file] })
  const topology = checkedTopology(source, call)
  const retry = await import('../../retry/index.ts')
  const connection = retry.kafkaConnection(source, connectOptionsOf(call))
  return { retry, source, topology, topic, connection }
}

/** @throws {@link TopologyError} */
export function selectionOf(options: CommandOptions): { limit?: number; errorClass?: string } {
  const [limit, errorClass] = [options.text('limit'), options.text('error-class')]
  if (limit !== undefined && !/^[1-9]\d{0,8}$/.test(limit)) {
    throw new TopologyError(`--limit ${limit} is no number of dead letters.`)
  }
  return {
    ...(limit === undefined ? {} : { limit: Number(limit) }),
    ...(errorClass === undefined ? {} : { errorClass }),
  }
}
