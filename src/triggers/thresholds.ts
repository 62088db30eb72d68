import { partsOf, resolvesReferences, type CriteriaPart } from './criteria-parts.ts'
import { filterFunctions } from './criteria-language.ts'
import { functionCall, memberName, numberLiteral, unwrap, type AstNode } from './fhirpath-ast.ts'

export type Ordering = '<' | '<=' | '>' | '>='

/** A condition that must hold for a criteria to be true: what is at a path is one number, and it is on this side of the limit. */
export interface Threshold {
  /** FHIRPath, as the criteria has it. */
  readonly path: string
  readonly operator: Ordering
  readonly limit: number
}

/** A number as fhirpath.js has it. */
export interface ComparableNumber {
  /** Below zero when it is less than the other, zero when they are the same in FHIRPath's precision. */
  compare(other: number): number
}

/** What is at a path. `none`: no item, so no comparison is true. `unclear`: anything else than one number, which only the engine can compare. */
export type NumberAtPath = ComparableNumber | 'none' | 'unclear'

/** The numbers of one change. */
export interface NumbersAtPaths {
  at(path: string): NumberAtPath
}

/** Whether the threshold lets the criteria be true; undefined when only the engine can tell. */
export function holds(
  { path, operator, limit }: Threshold,
  numbers: NumbersAtPaths,
): boolean | undefined {
  const number = numbers.at(path)
  if (number === 'unclear') return undefined
  return number !== 'none' && isOnSide(operator, number.compare(limit))
}

/** @param order of a number and the limit */
export function isOnSide(operator: Ordering, order: number): boolean {
  switch (operator) {
    case '<':
      return order < 0
    case '<=':
      return order <= 0
    case '>':
      return order > 0
    case '>=':
      return order >= 0
  }
}

/** Which of the parts that must all be true are thresholds, by their nodes.
 *
 *  Those of one path only: what a criteria costs must not be more than two evaluations, of the path and of itself.
 *
 *  @param text of which `root` is the tree
 *  @param nodes of the tree */
export function thresholdsAmong(
  nodes: readonly AstNode[],
  text: string,
  root: AstNode,
): ReadonlyMap<AstNode, Threshold> {
  const comparisons = new Set(nodes.filter(({ type }) => type === 'InequalityExpression'))
  if (comparisons.size === 0) return new Map()
  const found = partsOf(text, root)
    .filter(({ node }) => comparisons.has(node))
    .flatMap((part) => {
      const threshold = thresholdOf(part)
      return threshold ? [[part.node, threshold] as const] : []
    })
  const path = found[0]?.[1].path
  return new Map(found.filter(([, threshold]) => threshold.path === path))
}

/** `path > number`, with any of the four operators, in either order. */
function thresholdOf({ node, operands }: CriteriaPart): Threshold | undefined {
  const [left, right] = node.children ?? []
  if (!left || !right || !isOrdering(node.text)) return undefined
  const [first, last] = [numberLiteral(left), numberLiteral(right)]
  const [side, limit, operator] =
    last === undefined ? [right, first, turned[node.text]] : [left, last, node.text]
  const operand = operands.find((each) => each.node === unwrap(side))
  if (limit === undefined || !operand || !isPath(side) || resolvesReferences(side)) return undefined
  return { path: operand.text, operator, limit }
}

const turned: Readonly<Record<Ordering, Ordering>> = { '<': '>', '<=': '>=', '>': '<', '>=': '<=' }

function isOrdering(text: string | undefined): text is Ordering {
  return text !== undefined && Object.hasOwn(turned, text)
}

/** Elements, filtered or not: every item of it is a value of the resource, with all that the engine knows of it. */
function isPath(wrapped: AstNode): boolean {
  const node = unwrap(wrapped)
  const [left, right] = node.children ?? []
  switch (node.type) {
    case 'MemberInvocation':
    case 'ExternalConstantTerm':
      return true
    case 'IndexerExpression':
      return left !== undefined && isPath(left)
    case 'TypeExpression':
      return left !== undefined && isPath(left) && node.text === 'as'
    case 'InvocationExpression':
      return left !== undefined && right !== undefined && isPath(left) && isStep(right)
    default:
      return false
  }
}

function isStep(node: AstNode): boolean {
  const call = functionCall(node)
  return call
    ? filterFunctions.has(call.name) || call.name === 'ofType' || call.name === 'as'
    : memberName(node) !== undefined
}
