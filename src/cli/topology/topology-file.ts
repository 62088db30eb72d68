import {
  formatFinding,
  refuseErrors,
  TopologyError,
  type LocatedFinding,
} from '../../topology/finding.ts'
import type { TopologySource } from '../../topology/parse-topology.ts'
import { readTopology } from '../../topology/read-topology.ts'
import type { ResolvedTopology } from '../../topology/resolved-topology.ts'
import { validateTopology } from '../../topology/validate-topology.ts'
import type { CommandCall, CommandIo, CommandOption } from '../command.ts'
import { printableJson } from '../printable.ts'

export const environmentOption: Readonly<Record<'env', CommandOption>> = {
  env: { type: 'string', value: 'NAME', doc: 'Environment of the file.' },
}

/** The file that a command is about.
 *  @throws {@link TopologyError} */
export function topologyFile({ positionals }: CommandCall): TopologySource {
  const [file, ...others] = positionals
  if (file === undefined || others.length > 0) {
    throw new TopologyError('The command takes one file.')
  }
  return readTopology(file)
}

/** The one environment of a file that a command works with, checked; warnings go to stderr.
 *  @throws {@link TopologyError} with every error in the file */
export function checkedTopology(
  source: TopologySource,
  { options, io }: CommandCall,
): ResolvedTopology {
  const environment = environmentOf(source, { options })
  const { findings, topologies } = validateTopology(source, {
    variables: io.env,
    environment,
  })
  refuseErrors(findings)
  printWarnings(findings, io)
  const [topology] = topologies
  if (!topology) throw new RangeError('a file has one environment at least')
  return topology
}

/** @throws {@link TopologyError} when the file has several environments and none of them is said */
export function environmentOf(
  { document }: TopologySource,
  { options }: Pick<CommandCall, 'options'>,
): string | undefined {
  const environment = options.text('env')
  const environments = Object.keys(document.environments ?? {})
  if (environment === undefined && environments.length > 0) {
    throw new TopologyError(`Say for which environment: --env ${environments.join(' | ')}.`)
  }
  return environment
}

function printWarnings(findings: readonly LocatedFinding[], io: CommandIo): void {
  for (const finding of findings) io.err(`${formatFinding(finding)}\n`)
}

export function json(value: unknown): string {
  return `${printableJson(value, 2)}\n`
}
