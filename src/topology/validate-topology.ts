import { documentationFindings } from './documentation-check.ts'
import type { Finding, LocatedFinding } from './finding.ts'
import { lintTopology } from './lint-topology.ts'
import type { TopologySource } from './parse-topology.ts'
import { environmentFault, resolveInto } from './resolve-topology.ts'
import type { ResolvedTopology } from './resolved-topology.ts'

export interface ValidateOptions {
  /** Only this environment; default: all that the document has. */
  readonly environment?: string | undefined
  /** Values of `${VARIABLES}`; default: of the process. */
  readonly variables?: Readonly<Record<string, string | undefined>>
  /** A page about the topics that must name all of them and no others. */
  readonly page?: { readonly file: string; readonly text: string } | undefined
}

export interface Validation {
  /** In the order of the file, each once, whatever the number of environments it is true in. */
  readonly findings: readonly LocatedFinding[]
  /** The document in each of its environments, or as it is where it has none. Empty when the asked for environment is not there. */
  readonly topologies: readonly ResolvedTopology[]
}

/** Resolves and checks a document: all that needs no cluster. */
export function validateTopology(
  source: TopologySource,
  { environment, variables = process.env, page }: ValidateOptions = {},
): Validation {
  if (environment !== undefined) {
    const fault = environmentFault(source.document, environment)
    if (fault) return { findings: [source.locate(fault)], topologies: [] }
  }
  const declared = Object.keys(source.document.environments ?? {})
  const all = declared.length === 0 ? [undefined] : declared
  const environments = environment === undefined ? all : [environment]
  const topologies: ResolvedTopology[] = []
  const found = new Map<string, { finding: LocatedFinding; in: (string | undefined)[] }>()
  for (const one of environments) {
    const findings: Finding[] = []
    const topology = resolveInto(findings, source.document, one, variables)
    topologies.push(topology)
    // What could not be resolved would only be reported again.
    if (!findings.some(({ severity }) => severity === 'error')) {
      findings.push(...lintTopology(topology))
      if (page) findings.push(...documentationFindings(topology, page.text, page.file))
    }
    for (const finding of findings) note(finding, one)
  }
  const findings = [...found.values()].map(({ finding, in: names }) =>
    names.length === environments.length
      ? finding
      : { ...finding, message: `${finding.message} (in ${names.join(', ')})` },
  )
  return {
    topologies,
    findings: findings.toSorted((a, b) => a.line - b.line || a.column - b.column),
  }

  function note(finding: Finding, one: string | undefined): void {
    const key = JSON.stringify([finding.check, finding.message, finding.path])
    const known = found.get(key) ?? { finding: source.locate(finding), in: [] }
    if (!known.in.includes(one)) known.in.push(one)
    found.set(key, known)
  }
}
