import { functionCall, unwrap, type AstNode, type Position } from './fhirpath-ast.ts'

/** A part of a criteria that has a value of its own. */
export interface CriteriaPart {
  /** As written, without the parentheses of what it is a part of. */
  readonly text: string
  /** Where it begins. */
  readonly position: Position
  /** The node whose result is the value of the part. */
  readonly node: AstNode
  /** Both sides of a comparison, without literals. */
  readonly operands: readonly CriteriaPart[]
}

const connectives: ReadonlySet<string> = new Set(['AndExpression', 'OrExpression'])
const comparisons: ReadonlySet<string> = new Set([
  ...['EqualityExpression', 'InequalityExpression', 'MembershipExpression'],
])

/** What the top-level `and`, `or` and `xor` of a criteria join, in the order of the text.
 *  @param root the tree of exactly this text */
export function partsOf(text: string, root: AstNode): readonly CriteriaPart[] {
  const source = new Source(text)
  const split = (wrapped: AstNode, from: number, to: number): readonly CriteriaPart[] => {
    const sides = connectives.has(unwrap(wrapped).type) && source.sidesOf(wrapped, from, to)
    return sides
      ? sides.flatMap((side) => split(side.node, side.from, side.to))
      : [partAt(source, wrapped, from, to)]
  }
  return split(root, 0, text.length)
}

/** Whether its value needs other resources. */
export function resolvesReferences({ type, children = [], ...node }: AstNode): boolean {
  if (type === 'Functn' && functionCall({ type, children, ...node })?.name === 'resolve')
    return true
  return children.some(resolvesReferences)
}

function partAt(source: Source, wrapped: AstNode, from: number, to: number): CriteriaPart {
  const node = unwrap(wrapped)
  const span = source.trim(from, to)
  const sides = comparisons.has(node.type) ? source.sidesOf(wrapped, span.from, span.to) : undefined
  return {
    text: source.text.slice(span.from, span.to),
    position: source.positionOf(span.from),
    node,
    operands: (sides ?? [])
      .filter((side) => !unwrap(side.node).type.endsWith('Literal'))
      .map((side) => partAt(source, side.node, side.from, side.to)),
  }
}

interface Side {
  readonly node: AstNode
  readonly from: number
  readonly to: number
}

/** Finds the text of nodes. The tree of fhirpath.js says where operators and names are, not where an expression ends. */
class Source {
  readonly text: string
  readonly #lineStarts: readonly number[]

  constructor(text: string) {
    this.text = text
    this.#lineStarts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)]
  }

  /** Both sides of a binary operator; undefined for anything else. */
  sidesOf(wrapped: AstNode, from: number, to: number): readonly Side[] | undefined {
    const { start, text = '', children = [] } = unwrap(wrapped)
    const [left, right, ...others] = children
    if (!start || !left || !right || others.length > 0) return undefined
    const at = (this.#lineStarts[start.line - 1] ?? 0) + start.column - 1
    return [
      { node: left, from, to: at },
      { node: right, from: at + text.length, to },
    ]
  }

  positionOf(offset: number): Position {
    const line = this.#lineStarts.findLastIndex((start) => start <= offset)
    return { line: line + 1, column: offset - (this.#lineStarts[line] ?? 0) + 1 }
  }

  /** Without white space and without parentheses that are closed or opened elsewhere. */
  trim(from: number, to: number): { readonly from: number; readonly to: number } {
    const opened: number[] = []
    let end = to
    for (const { 0: token, index } of this.text.slice(from, to).matchAll(parenthesesAndTexts)) {
      if (token === '(') opened.push(from + index)
      else if (token === ')' && opened.pop() === undefined) {
        end = from + index
        break
      }
    }
    const begin = (opened.at(-1) ?? from - 1) + 1
    const inner = this.text.slice(begin, end)
    const leading = inner.length - inner.trimStart().length
    return { from: begin + leading, to: Math.max(begin + inner.trimEnd().length, begin + leading) }
  }
}

/** Parentheses in strings, quoted names and comments are none. */
const parenthesesAndTexts =
  /[()]|'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`|"(?:\\.|[^"\\])*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//g
