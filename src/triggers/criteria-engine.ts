import { compile } from 'fhirpath'
import r4 from 'fhirpath/fhir-context/r4'
import { isTopicDestinationError } from '../errors.ts'
import type { Change } from '../host/types.ts'
import { checkSyntax } from './criteria-check.ts'
import { CriteriaFunctions, plainValue } from './criteria-functions.ts'
import type { AstNode, Position } from './fhirpath-ast.ts'
import { comparedNodes, Fuel } from './fuel.ts'
import { guardsOf, noGuards, sourceOf, type Guards } from './guards.ts'
import { References, type ResolvedReferences } from './references.ts'

/** What an evaluation came to. */
export type Verdict =
  | { readonly kind: 'decided'; readonly fires: boolean }
  /** `resolve()` needs these references read; evaluate again then. */
  | { readonly kind: 'pending'; readonly references: readonly string[] }
  /** `error`: one sentence for an operator, without resource content. `position`: where the evaluation failed, if it did. */
  | { readonly kind: 'undecided'; readonly error: string; readonly position?: Position | undefined }

/** One criteria, ready to be evaluated on any number of changes. */
export interface Criteria {
  /** Necessary conditions on resources of this type, for the index. */
  guards(resourceType: string): Guards
  /** Never throws, never changes the resources, does no I/O. */
  evaluate(change: Change, resolved: ResolvedReferences): Verdict
}

export interface CriteriaEngine {
  /** Never throws: a criteria that is not valid is undecided for every change. */
  compile(text: string): Criteria
}

/** FHIRPath by fhirpath.js: synchronous, R4 model, bounded by {@link Fuel}, regular expressions in linear time. */
export const fhirPathEngine: CriteriaEngine = { compile: (text) => new FhirPathCriteria(text) }

/** One evaluation of one criteria on one change. */
export interface Evaluation {
  /** The tree whose nodes the observer was told of. */
  readonly tree: AstNode
  /** Nodes evaluated; a node in a loop counts each time. */
  readonly steps: number
  readonly verdict: Verdict
}

/** Watches evaluations, for operations that explain or count them. */
export interface EvaluationObserver {
  /** After each node of the tree, with its result. */
  onNode?(node: AstNode, result: unknown): void
  onEvaluated(evaluation: Evaluation): void
}

/** {@link fhirPathEngine}, with somebody who watches. */
export function observedEngine(observer: EvaluationObserver): CriteriaEngine {
  return { compile: (text) => new FhirPathCriteria(text, observer) }
}

interface Program {
  run(change: Change, resolved: ResolvedReferences): Verdict
}

class FhirPathCriteria implements Criteria {
  readonly #text: string
  readonly #observer: EvaluationObserver | undefined
  #program: Program | undefined

  constructor(text: string, observer?: EvaluationObserver) {
    this.#text = text
    this.#observer = observer
  }

  guards(resourceType: string): Guards {
    // The tree is not kept: most criteria of a big index are never evaluated.
    const { ast, issues } = checkSyntax(this.#text)
    return ast && issues.length === 0 ? guardsOf(ast, resourceType) : noGuards
  }

  evaluate(change: Change, resolved: ResolvedReferences): Verdict {
    this.#program ??= compileProgram(this.#text, this.#observer)
    return this.#program.run(change, resolved)
  }
}

const nothing: Change = { interaction: 'update', resourceType: '', id: '' }
const noReferences: ResolvedReferences = new Map()

/** Where and why the evaluation of a criteria fails even on nothing, for example `1 + 'a'`. */
export function dryRun(text: string): { error: string; position: Position } | undefined {
  const verdict = compileProgram(text).run(nothing, noReferences)
  return verdict.kind === 'undecided' && verdict.position
    ? { error: verdict.error, position: verdict.position }
    : undefined
}

function compileProgram(text: string, observer?: EvaluationObserver): Program {
  // Checked here too: what is stored may have been written before a check existed, or past it.
  const { issues } = checkSyntax(text)
  const [fault] = issues
  if (fault) return refused(fault.message, fault.position)
  const evaluate = compile(text, r4, { resolveInternalTypes: false })
  const functions = new CriteriaFunctions()
  let tree: AstNode | undefined
  let compared: ReadonlySet<AstNode> | undefined
  const runOnce = (change: Change, references: References, fuel: Fuel): Verdict => {
    const variables = variablesOf(change)
    try {
      const result = evaluate(variables.current, variables, {
        debugger: observer?.onNode ? observedSpend(fuel, observer) : fuel.spend,
        userInvocationTable: functions.table(references, fuel),
      }) as unknown[]
      return verdictOf(result, references)
    } catch (error) {
      // What went wrong without a resource may be right with it.
      if (references.missing.length > 0 && !isTopicDestinationError(error)) {
        return { kind: 'pending', references: references.missing }
      }
      return { kind: 'undecided', error: withoutContent(error), position: fuel.position }
    }
  }
  return {
    run(change, resolved) {
      tree ??= treeOf(evaluate)
      compared ??= comparedNodes(tree)
      const fuel = new Fuel(compared)
      const verdict = runOnce(change, new References(resolved), fuel)
      observer?.onEvaluated({ tree, steps: fuel.steps, verdict })
      return verdict
    },
  }
}

function observedSpend(fuel: Fuel, observer: EvaluationObserver): Fuel['spend'] {
  return (context, focus, result, node) => {
    fuel.spend(context, focus, result, node)
    observer.onNode?.(node, result)
  }
}

function refused(error: string, position: Position | undefined): Program {
  return { run: () => ({ kind: 'undecided', error, position }) }
}

/** fhirpath.js keeps its tree to itself; its last call of the hook shows the root. Nothing is evaluated on an empty input
 *  that could be long. */
function treeOf(
  evaluate: (resource: unknown, variables: object, options: object) => unknown,
): AstNode {
  let root: AstNode = { type: 'EntireExpression' }
  const seen = (_context: unknown, _focus: unknown, _result: unknown, node: AstNode): void => {
    root = node
  }
  try {
    evaluate([], variablesOf(nothing), {
      debugger: seen,
      userInvocationTable: new CriteriaFunctions().table(new References(noReferences)),
    })
  } catch {
    // The part seen so far; the evaluation itself will fail at the same place.
  }
  return root
}

function variablesOf(change: Change): {
  readonly current: unknown
  readonly [name: string]: unknown
} {
  // An empty collection, not `{}`: that would be an object which exists.
  const current = sourceOf(change, 'current') ?? []
  const previous = sourceOf(change, 'previous') ?? []
  return {
    current,
    previous,
    resource: current,
    rootResource: current,
    sct: 'http://snomed.info/sct',
    loinc: 'http://loinc.org',
  }
}

function verdictOf(result: readonly unknown[], references: References): Verdict {
  if (references.missing.length > 0) return { kind: 'pending', references: references.missing }
  const [only, ...others] = result
  const value = plainValue(only)
  if (others.length > 0) {
    return { kind: 'undecided', error: 'The result is several items, not one boolean.' }
  }
  if (value === undefined || value === null) return { kind: 'decided', fires: false }
  if (typeof value === 'boolean') return { kind: 'decided', fires: value }
  return { kind: 'undecided', error: 'The result is not a boolean.' }
}

/** Texts of fhirpath.js quote values of the resource, so only their kind goes on. It throws bare strings, too. */
function withoutContent(error: unknown): string {
  if (isTopicDestinationError(error)) return error.message
  const text = error instanceof Error ? error.message : String(error)
  if (/Unexpected collection|multiple items|single|individual/i.test(text)) {
    return 'There are several items where one is expected.'
  }
  if (/^Expected |did not match type|Cannot convert|can only be applied/.test(text)) {
    return 'A value has another type than the operation expects.'
  }
  if (/^Invalid (date|date-time|time) literal/.test(text))
    return 'A date or time literal is invalid.'
  return 'The criteria could not be evaluated.'
}
