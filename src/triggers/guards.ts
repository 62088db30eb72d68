import type { Change, FhirResource } from '../host/types.ts'
import { isStringPath } from './element-model.ts'
import {
  functionCall,
  memberName,
  stringLiteral,
  unwrap,
  variableName,
  type AstNode,
} from './fhirpath-ast.ts'

/** A condition that must hold for a criteria to be true: one of `values` is among the strings at `steps`. */
export interface Guard {
  readonly source: 'current' | 'previous'
  readonly steps: readonly string[]
  readonly values: readonly string[]
  /** The condition is `path = 'literal'` or an `or` of these, not only implied by what is written. */
  readonly isEquality: boolean
}

export interface Guards {
  readonly guards: readonly Guard[]
  /** All parts of the criteria are equalities: the guards alone decide. */
  readonly isExact: boolean
}

export const noGuards: Guards = { guards: [], isExact: false }

/** Guards of a criteria, read off the parts that its top-level `and` joins.
 *
 *  Sound because a criteria fires only on true: a part that is false, empty or in error can never make it true. An error in
 *  another part is then not reached, which FHIRPath allows (N1, "Boolean logic": operands may be evaluated in any order). */
export function guardsOf(ast: AstNode, resourceType: string): Guards {
  const parts = conjuncts(ast)
  const guards = parts.flatMap((part) => guardOf(part, resourceType) ?? [])
  return {
    guards,
    isExact: guards.length === parts.length && guards.every(({ isEquality }) => isEquality),
  }
}

/** Decides an exact criteria without the engine; `undefined` when only the engine can. */
export function decideExactly(guards: readonly Guard[], change: Change): boolean | undefined {
  for (const { source, steps, values } of guards) {
    const strings = stringsAt(sourceOf(change, source), steps)
    if (strings.isIncomplete) return undefined
    // `=` is true for one value on each side; for several it is false or in error, never true.
    const [only, ...others] = strings.values
    if (only === undefined || others.length > 0 || !values.includes(only)) return false
  }
  return true
}

export function sourceOf(change: Change, source: Guard['source']): FhirResource | undefined {
  if (source === 'current') return change.interaction === 'delete' ? undefined : change.current
  return change.interaction === 'create' ? undefined : change.previous
}

export interface StringsAt {
  readonly values: readonly string[]
  /** There are items at the path that are no plain strings, such as `_status` with an extension only. */
  readonly isIncomplete: boolean
}

/** The strings at a path of JSON, through arrays. */
export function stringsAt(resource: FhirResource | undefined, steps: readonly string[]): StringsAt {
  let items: unknown[] = resource === undefined ? [] : [resource]
  let isIncomplete = false
  for (const step of steps) {
    const next: unknown[] = []
    for (const item of items) {
      if (typeof item !== 'object' || item === null) isIncomplete = true
      else {
        const parent = item as Readonly<Record<string, unknown>>
        const value = parent[step]
        if (parent[`_${step}`] !== undefined) isIncomplete = true
        if (value === undefined) continue
        // One by one: as arguments of one call, a hundred thousand members of a Group would end the stack.
        for (const each of Array.isArray(value) ? (value as unknown[]) : [value]) next.push(each)
      }
    }
    items = next
  }
  const values = items.filter((item) => typeof item === 'string')
  return { values, isIncomplete: isIncomplete || values.length < items.length }
}

function conjuncts(wrapped: AstNode): AstNode[] {
  const node = unwrap(wrapped)
  return node.type === 'AndExpression' ? (node.children ?? []).flatMap(conjuncts) : [node]
}

function guardOf(wrapped: AstNode, resourceType: string): Guard | undefined {
  const node = unwrap(wrapped)
  if (node.type === 'EqualityExpression') return equalityGuard(node, resourceType)
  // `xor` has the same node type.
  if (node.type === 'OrExpression' && node.text === 'or') {
    return alternativeGuard(node, resourceType)
  }
  if (node.type === 'InvocationExpression') return existsGuard(node, resourceType)
  return undefined
}

/** `path = 'literal'`, in either order. */
function equalityGuard(node: AstNode, resourceType: string): Guard | undefined {
  const equality = literalEquality(node, (side) => pathOf(side, resourceType))
  if (!equality || !isStringPath(resourceType, equality.path.steps)) return undefined
  return { ...equality.path, values: [equality.literal], isEquality: true }
}

/** `a or b` with a guard on the same path in both. */
function alternativeGuard(node: AstNode, resourceType: string): Guard | undefined {
  const [left, right] = (node.children ?? []).map((side) => guardOf(side, resourceType))
  if (!left || !right || pathKey(left) !== pathKey(right)) return undefined
  return {
    ...left,
    values: [...left.values, ...right.values],
    isEquality: left.isEquality && right.isEquality,
  }
}

/** `path.where(member = 'literal' and …).exists()` and `path.exists(member = 'literal' and …)`. */
function existsGuard(node: AstNode, resourceType: string): Guard | undefined {
  const [subject, last] = node.children ?? []
  const exists = last && functionCall(last)
  if (!subject || exists?.name !== 'exists') return undefined
  const [condition] = exists.args
  if (condition) return memberGuard(subject, condition, resourceType)
  const filtered = unwrap(subject)
  const [base, filter] = filtered.type === 'InvocationExpression' ? (filtered.children ?? []) : []
  const where = filter && functionCall(filter)
  const [criteria] = where?.name === 'where' ? where.args : []
  return base && criteria ? memberGuard(base, criteria, resourceType) : undefined
}

function memberGuard(base: AstNode, condition: AstNode, resourceType: string): Guard | undefined {
  const path = pathOf(base, resourceType)
  if (!path || path.steps.length === 0) return undefined
  const guards = conjuncts(condition).flatMap((part): Guard[] => {
    const equality = literalEquality(part, memberSteps)
    const steps = equality ? [...path.steps, ...equality.path] : []
    return equality && isStringPath(resourceType, steps)
      ? [{ source: path.source, steps, values: [equality.literal], isEquality: false }]
      : []
  })
  // A system is the same for most criteria, a code tells them apart.
  return guards.find(({ steps }) => steps.at(-1) !== 'system') ?? guards[0]
}

function literalEquality<Side>(
  wrapped: AstNode,
  toPath: (side: AstNode) => Side | undefined,
): { path: Side; literal: string } | undefined {
  const node = unwrap(wrapped)
  const [left, right] = node.children ?? []
  if (node.type !== 'EqualityExpression' || node.text !== '=' || !left || !right) return undefined
  for (const [side, other] of [
    [left, right],
    [right, left],
  ] as const) {
    const literal = stringLiteral(other)
    const path = literal === undefined ? undefined : toPath(side)
    if (literal !== undefined && path !== undefined) return { path, literal }
  }
  return undefined
}

type Path = Pick<Guard, 'source' | 'steps'>

/** `a.b`, `Type.a.b`, `%current.a.b`, `%previous.a.b`. */
function pathOf(wrapped: AstNode, resourceType: string): Path | undefined {
  const node = unwrap(wrapped)
  const variable = variableName(node)
  if (variable === 'current' || variable === 'previous') return { source: variable, steps: [] }
  const name = memberName(node)
  if (name !== undefined) return { source: 'current', steps: name === resourceType ? [] : [name] }
  return appendMember(node, (left) => pathOf(left, resourceType))
}

/** `a.b` below the item that a loop looks at. */
function memberSteps(wrapped: AstNode): readonly string[] | undefined {
  const node = unwrap(wrapped)
  const name = memberName(node)
  if (name !== undefined) return [name]
  return appendMember(node, (left) => {
    const steps = memberSteps(left)
    return steps && { steps }
  })?.steps
}

function appendMember<P extends { readonly steps: readonly string[] }>(
  node: AstNode,
  toPath: (left: AstNode) => P | undefined,
): P | undefined {
  const [left, right] = node.type === 'InvocationExpression' ? (node.children ?? []) : []
  const name = right && memberName(right)
  const path = left && name !== undefined ? toPath(left) : undefined
  return path && name !== undefined ? { ...path, steps: [...path.steps, name] } : undefined
}

export function pathKey({ source, steps }: Path): string {
  return `${source}.${steps.join('.')}`
}
