import type { Change, FhirResource } from '../host/types.ts'
import { leadsToString } from './element-model.ts'
import {
  functionCall,
  memberName,
  stringLiteral,
  unwrap,
  variableName,
  type AstNode,
} from './fhirpath-ast.ts'
import { isPreviousUnknown } from './unknown-previous.ts'
import { holds, thresholdsAmong, type NumbersAtPaths, type Threshold } from './thresholds.ts'

/** A condition that must hold for a criteria to be true: one of `values` is among the strings at `steps`. */
export interface Guard {
  /** Tells paths apart: source and steps as one text. */
  readonly key: string
  readonly source: 'current' | 'previous'
  readonly steps: readonly string[]
  readonly values: readonly string[]
  /** The condition is `path = 'literal'` or an `or` of these, not only implied by what is written. */
  readonly isEquality: boolean
}

export interface Guards {
  readonly guards: readonly Guard[]
  readonly thresholds: readonly Threshold[]
  /** All parts of the criteria are equalities and thresholds: these alone decide. */
  readonly isExact: boolean
}

/** What a criteria asks of strings and numbers, before it is known which resource type it is evaluated on, by the parts that its top-level
 *  `and` joins. Small, and kept instead of the tree. */
export interface GuardPlan {
  readonly thresholds: readonly Threshold[]
  /** For each other part, conditions each of which must hold, the most selective first. */
  readonly conditions: readonly (readonly Condition[])[]
}

export interface Condition extends Guard {
  /** The path begins at the resource itself, not at a variable: its first step may be the name of the type. */
  readonly isBare: boolean
}

/** Guards of a criteria, whatever it is evaluated on.
 *
 *  Sound because a criteria fires only on true: a part that is false, empty or in error can never make it true. An error in
 *  another part is then not reached, which FHIRPath allows (N1, "Boolean logic": operands may be evaluated in any order). */
export function planGuards(text: string, ast: AstNode): GuardPlan {
  const parts = conjuncts(ast)
  const thresholds = thresholdsAmong(parts, text, ast)
  return {
    thresholds: [...thresholds.values()],
    conditions: parts.filter((part) => !thresholds.has(part)).map(conditionsOf),
  }
}

/** The guards that hold for resources of a type: of paths to strings, as R4 knows the type. */
export function guardsFor({ thresholds, conditions }: GuardPlan, resourceType: string): Guards {
  const guards = conditions.flatMap((of) => firstGuard(of, resourceType) ?? [])
  const isExact =
    conditions.length + thresholds.length > 0 &&
    guards.length === conditions.length &&
    guards.every(({ isEquality }) => isEquality)
  return { guards, thresholds, isExact }
}

function firstGuard(conditions: readonly Condition[], resourceType: string): Guard | undefined {
  for (const condition of conditions) {
    const isTyped = condition.isBare && condition.steps[0] === resourceType
    const guard = isTyped ? withPath(condition, { steps: condition.steps.slice(1) }) : condition
    if (isStringPath(resourceType, guard)) return guard
  }
  return undefined
}

/** Answers of {@link isStringPath} by type: thousands of criteria ask for the same few paths. */
const stringPaths = new Map<string, Map<string, boolean>>()
/** Paths and types come from clients' texts. */
const maxStringPaths = 1000

function isStringPath(resourceType: string, { key, steps }: Guard): boolean {
  const known = stringPaths.get(resourceType) ?? new Map<string, boolean>()
  if (stringPaths.size === maxStringPaths) stringPaths.clear()
  stringPaths.set(resourceType, known)
  let answer = known.get(key)
  if (answer === undefined) {
    if (known.size === maxStringPaths) known.clear()
    known.set(key, (answer = leadsToString(resourceType, steps)))
  }
  return answer
}

function withPath<G extends Guard>(guard: G, { steps }: { readonly steps: readonly string[] }): G {
  return { ...guard, steps, key: pathKey({ ...guard, steps }) }
}

/** Whether the guard lets the criteria be true; undefined when only the engine can tell.
 *  @param isExact the criteria is nothing but such conditions */
export function guardHolds(
  { source, steps, values }: Guard,
  isExact: boolean,
  change: Change,
): boolean | undefined {
  if (source === 'previous' && isPreviousUnknown(change)) return undefined
  const strings = stringsAt(sourceOf(change, source), steps)
  if (!strings.values.some((value) => values.includes(value))) return false
  if (!isExact || strings.isIncomplete) return undefined
  // `=` is true for one value on each side; for several it is false or in error, never true.
  return strings.values.length === 1
}

/** Decides a criteria by its conditions; `undefined` when only the engine can. */
export function decideByConditions(
  { guards, thresholds, isExact }: Guards,
  change: Change,
  numbers: NumbersAtPaths,
): boolean | undefined {
  let isDecided = isExact
  for (const guard of guards) {
    const isHeld = guardHolds(guard, isExact, change)
    if (isHeld === false) return false
    isDecided &&= isHeld === true
  }
  for (const threshold of thresholds) {
    const isHeld = holds(threshold, numbers)
    if (isHeld === false) return false
    isDecided &&= isHeld === true
  }
  return isDecided ? true : undefined
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

function conditionsOf(wrapped: AstNode): readonly Condition[] {
  const node = unwrap(wrapped)
  if (node.type === 'EqualityExpression') return equalityCondition(node)
  // `xor` has the same node type.
  if (node.type === 'OrExpression' && node.text === 'or') return alternatives(node)
  if (node.type === 'InvocationExpression') return existsConditions(node)
  return []
}

/** `path = 'literal'`, in either order. */
function equalityCondition(node: AstNode): readonly Condition[] {
  const equality = literalEquality(node, pathOf)
  return equality
    ? [
        {
          ...equality.path,
          key: pathKey(equality.path),
          values: [equality.literal],
          isEquality: true,
        },
      ]
    : []
}

/** `a or b` with conditions on the same path in both. */
function alternatives(node: AstNode): readonly Condition[] {
  const [left = [], right = []] = (node.children ?? []).map(conditionsOf)
  return left.flatMap((one) =>
    right
      .filter((other) => one.isBare === other.isBare && one.key === other.key)
      .map((other) => ({
        ...one,
        values: [...one.values, ...other.values],
        isEquality: one.isEquality && other.isEquality,
      })),
  )
}

/** `path.where(member = 'literal' and …).exists()` and `path.exists(member = 'literal' and …)`. */
function existsConditions(node: AstNode): readonly Condition[] {
  const [subject, last] = node.children ?? []
  const exists = last && functionCall(last)
  if (!subject || exists?.name !== 'exists') return []
  const [condition] = exists.args
  if (condition) return memberConditions(subject, condition)
  const filtered = unwrap(subject)
  const [base, filter] = filtered.type === 'InvocationExpression' ? (filtered.children ?? []) : []
  const where = filter && functionCall(filter)
  const [criteria] = where?.name === 'where' ? where.args : []
  return base && criteria ? memberConditions(base, criteria) : []
}

function memberConditions(base: AstNode, condition: AstNode): readonly Condition[] {
  const path = pathOf(base)
  if (!path) return []
  const conditions = conjuncts(condition).flatMap((part): Condition[] => {
    const equality = literalEquality(part, memberSteps)
    if (!equality) return []
    const member = { ...path, steps: [...path.steps, ...equality.path] }
    return [{ ...member, key: pathKey(member), values: [equality.literal], isEquality: false }]
  })
  // A system is the same for most criteria, a code tells them apart.
  const isSystem = ({ steps }: Condition): boolean => steps.at(-1) === 'system'
  return [...conditions.filter((each) => !isSystem(each)), ...conditions.filter(isSystem)]
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

type Path = Pick<Condition, 'source' | 'isBare' | 'steps'>

/** `a.b`, `Type.a.b`, `%current.a.b`, `%previous.a.b`. */
function pathOf(wrapped: AstNode): Path | undefined {
  const node = unwrap(wrapped)
  const variable = variableName(node)
  if (variable === 'current' || variable === 'previous') {
    return { source: variable, isBare: false, steps: [] }
  }
  const name = memberName(node)
  if (name !== undefined) return { source: 'current', isBare: true, steps: [name] }
  return appendMember(node, pathOf)
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

function pathKey({ source, steps }: Pick<Guard, 'source' | 'steps'>): string {
  return `${source}.${steps.join('.')}`
}
