import {
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Node,
} from 'yaml'
import type { TopologyDocument } from './document.ts'
import { refuseErrors, type DocumentPath, type Finding, type LocatedFinding } from './finding.ts'
import { schemaFindings } from './schema.ts'
import { secretFindings } from './secret-literals.ts'

/** A document and where its parts stand. */
export interface TopologySource {
  /** Name of the file, as it is shown in findings. */
  readonly file: string
  readonly document: TopologyDocument
  /** Adds file, line and column to a finding. */
  readonly locate: (finding: Finding) => LocatedFinding
}

/** Reads a document of the format `fhir-kafka/v1` in YAML 1.2 or JSON.
 *  @param file its name, for findings
 *  @throws {@link TopologyError} with the place of every fault of syntax and form, and of every secret that stands in it */
export function parseTopology(text: string, file: string): TopologySource {
  const lines = new LineCounter()
  const yaml = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  refuseErrors(
    [...yaml.errors.map(syntaxFault), ...lostAliases(yaml)].map(({ message, offset }) => {
      const { line, col } = lines.linePos(offset)
      return { check: 'syntax', severity: 'error', message, path: [], file, line, column: col }
    }),
  )
  const locate = (finding: Finding): LocatedFinding => {
    const { line, col } = lines.linePos(offsetOf(yaml, finding.path))
    return { ...finding, file, line, column: col }
  }
  const value = valueOf(yaml, locate)
  const secrets = secretFindings(value)
  // One fault, one finding: a secret is in a place where the schema does not want anything either.
  const secretPlaces = new Set(secrets.map(({ path }) => path.join('/')))
  const faults = schemaFindings(value).filter(({ path }) => !secretPlaces.has(path.join('/')))
  refuseErrors([...secrets, ...faults].map(locate))
  return { file, document: value as TopologyDocument, locate }
}

interface SyntaxFault {
  readonly message: string
  readonly offset: number
}

/** A parser's message may quote the text, but only what is no longer a value. */
function syntaxFault({ code, message, pos: [offset] }: Document['errors'][number]): SyntaxFault {
  if (code !== 'MULTIPLE_DOCS') return { message, offset }
  return { message: 'A file holds one document; remove what follows on "---".', offset }
}

/** The parser tells of them late, and without their place. */
function lostAliases(yaml: Document): SyntaxFault[] {
  const lost: SyntaxFault[] = []
  visit(yaml, {
    Alias: (_, alias) => {
      if (alias.resolve(yaml)) return
      const message = `The alias *${alias.source} is of no anchor before it; write &${alias.source} there.`
      lost.push({ message, offset: startOf(alias) })
    },
  })
  return lost
}

function valueOf(yaml: Document, locate: TopologySource['locate']): unknown {
  try {
    return yaml.toJS()
  } catch (error) {
    // Aliases that unfold into too much.
    const message = error instanceof Error ? error.message : String(error)
    refuseErrors([locate({ check: 'syntax', severity: 'error', message, path: [] })])
    throw error
  }
}

/** Where the part at the path starts: the key of an entry, the item of a list; the nearest part around it that is there. */
function offsetOf(yaml: Document, path: DocumentPath): number {
  let node: Node | null | undefined = yaml.contents
  let offset = startOf(node)
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step))
      if (!pair) break
      offset = startOf(pair.key as Node)
      node = pair.value as Node | null
    } else if (isSeq(node)) {
      const item = node.items[Number(step)] as Node | undefined
      if (!item) break
      offset = startOf(item)
      node = item
    } else break
  }
  return offset
}

function startOf(node: Node | null | undefined): number {
  return node?.range?.[0] ?? 0
}
