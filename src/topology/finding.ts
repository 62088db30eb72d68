import { TopicDestinationError } from '../errors.ts'

/** Every check of a topology file, with what it asks for. The table in docs/topology.md is this one. */
export const topologyChecks = {
  syntax: 'The text is YAML 1.2 or JSON, without doubled keys.',
  schema: 'The document is as `schemas/fhir-kafka-v1.schema.json` says.',
  variable:
    "Every `${VARIABLE}` has a value: in the environment's `vars`, or in the environment of the process.",
  reference:
    'What is referred to by name is in the file: services, principals, retry policies, topics.',
  L1: 'Every retry topic has a consumer.',
  L2: 'Every topic has a producer and a consumer, or says with `external` which of them is outside of the file.',
  L3: 'Every retry policy waits, ends, and says what becomes of a message then. Its retry topic keeps messages for longer than they wait, and has a partition for each length of delay.',
  L4: 'Topic names are valid, start with a prefix of `naming.allow` and differ in more than "." and "_".',
  L5: 'A service has no more instances than a topic that it consumes has partitions, and no two components are one consumer group.',
  L6: 'There are no more replicas than brokers, and fewer in-sync replicas are asked for than there are replicas. Of a live cluster also `transaction.state.log.replication.factor`.',
  L7: 'Whoever may read topics may read with a consumer group, every group of the file is allowed to read its topics, and somebody to write to each topic that has a producer.',
  L8: 'No secret stands in the file.',
  L9: 'A dead-letter topic keeps messages at least as long as the topic they come from.',
  L10: 'What is documented, declared and on the cluster are the same topics.',
  V11: 'Partitions, replicas and configuration on the cluster are those of the file.',
  V12: 'The ACLs of the principals on the cluster are those of the file, and nothing more.',
} as const
export type TopologyCheck = keyof typeof topologyChecks

/** Where something stands in a document: keys and indices from its root. */
export type DocumentPath = readonly (string | number)[]

/** What a check has to say about a document. */
export interface Finding {
  readonly check: TopologyCheck
  /** A file with an error is neither planned nor applied. */
  readonly severity: 'error' | 'warning'
  /** What is wrong and what to change. Never holds a secret. */
  readonly message: string
  readonly path: DocumentPath
}

/** A finding with its place in the file; line and column count from 1. */
export interface LocatedFinding extends Finding {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** Takes the findings of a check. */
export type Report = (finding: Finding) => void

/** `file:line:column: error L1: message`, as editors and CI systems find it. */
export function formatFinding(finding: LocatedFinding): string {
  const { file, line, column, severity, check, message } = finding
  return `${file}:${line}:${column}: ${severity} ${check}: ${message}`
}

/** A topology file that cannot be used, or a cluster that cannot be brought in line with it. */
export class TopologyError extends TopicDestinationError {
  override readonly name: string = 'TopologyError'
  readonly findings: readonly LocatedFinding[]

  constructor(
    message: string,
    { findings = [], cause }: { findings?: readonly LocatedFinding[]; cause?: unknown } = {},
  ) {
    super('KTD_TOPOLOGY', message, { cause })
    this.findings = findings
  }
}

/** @throws {@link TopologyError} when one of the findings is an error */
export function refuseErrors(findings: readonly LocatedFinding[]): void {
  const errors = findings.filter(({ severity }) => severity === 'error')
  if (errors.length === 0) return
  const lines = errors.map((error) => `\n${formatFinding(error)}`)
  throw new TopologyError(`The topology file cannot be used.${lines.join('')}`, { findings })
}
