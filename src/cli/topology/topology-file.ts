import { readFileSync } from 'node:fs'
import {
  formatFinding,
  refuseErrors,
  TopologyError,
  type LocatedFinding,
} from '../../topology/finding.ts'
import { parseTopology, type TopologySource } from '../../topology/parse-topology.ts'
import type { ResolvedTopology } from '../../topology/resolved-topology.ts'
import { validateTopology } from '../../topology/validate-topology.ts'
import type { CommandCall, CommandIo, CommandOption } from '../command.ts'

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
  return parseTopology(readText(file), file)
}

export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new TopologyError(`The file cannot be read: ${reason}.`, { cause: error })
  }
}

/** The one environment of a file that a command works with, checked; warnings go to stderr.
 *  @throws {@link TopologyError} with every error in the file */
export function checkedTopology(
  source: TopologySource,
  { options, io }: CommandCall,
): ResolvedTopology {
  const environment = options.text('env')
  const environments = Object.keys(source.document.environments ?? {})
  if (environment === undefined && environments.length > 0) {
    throw new TopologyError(`Say for which environment: --env ${environments.join(' | ')}.`)
  }
  const { findings, topologies } = validateTopology(source, {
    variables: io.env,
    ...(environment === undefined ? {} : { environment }),
  })
  refuseErrors(findings)
  printWarnings(findings, io)
  const [topology] = topologies
  if (!topology) throw new RangeError('a file has one environment at least')
  return topology
}

function printWarnings(findings: readonly LocatedFinding[], io: CommandIo): void {
  for (const finding of findings) io.err(`${formatFinding(finding)}\n`)
}

export function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}
