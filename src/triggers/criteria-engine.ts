import { isTopicDestinationError } from '../errors.ts'
import type { Change } from '../host/types.ts'
import { checkSyntax, type CriteriaIssue } from './criteria-check.ts'
import { factsOf, type CriteriaFacts } from './criteria-facts.ts'
import { plainValue } from './criteria-functions.ts'
import { compileExpression, nothing } from './expression.ts'
import type { AstNode, Position } from './fhirpath-ast.ts'
import { FuelError, type Fuel } from './fuel.ts'
import { guardsFor, planGuards, type GuardPlan, type Guards } from './guards.ts'
import { noReferences, References, type ResolvedReferences } from './references.ts'
import { isPreviousUnknown, unknownPrevious } from './unknown-previous.ts'

/** What an evaluation came to. */
export type Verdict = (
  | { readonly kind: 'decided'; readonly fires: boolean }
  /** `resolve()` needs these references read; evaluate again then. */
  | { readonly kind: 'pending'; readonly references: readonly string[] }
  /** `error`: one sentence for an operator, without resource content. `position`: where the evaluation failed, if it did. */
  | { readonly kind: 'undecided'; readonly error: string; readonly position?: Position | undefined }
) & {
  /** The part of what one evaluation may take that it has taken, 0 to 1. Absent: nothing was evaluated. */
  readonly cost?: number
}

/** One criteria, ready to be evaluated on any number of changes. */
export interface Criteria {
  facts(): CriteriaFacts
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
  #learned: Learned | undefined
  /** Of the type that was asked for last: the buckets of a type are filled one after the other. */
  #guards: { readonly resourceType: string; readonly guards: Guards } | undefined

  constructor(text: string, observer?: EvaluationObserver) {
    this.#text = text
    this.#observer = observer
  }

  facts(): CriteriaFacts {
    return this.#learn().facts
  }

  guards(resourceType: string): Guards {
    if (this.#guards?.resourceType !== resourceType) {
      this.#guards = { resourceType, guards: guardsFor(this.#learn().plan, resourceType) }
    }
    return this.#guards.guards
  }

  evaluate(change: Change, resolved: ResolvedReferences): Verdict {
    this.#program ??= compileProgram(this.#text, this.#learn(), this.#observer)
    return this.#program.run(change, resolved)
  }

  #learn(): Learned {
    return (this.#learned ??= learn(this.#text))
  }
}

/** What one look at the tree has found. Not the tree itself: most criteria of a big index are never evaluated. */
interface Learned {
  readonly facts: CriteriaFacts
  readonly plan: GuardPlan
  /** Why it is refused. */
  readonly fault: CriteriaIssue | undefined
}

function learn(text: string): Learned {
  const checked = checkSyntax(text)
  const { ast, issues } = checked
  // Nothing is known of what is not valid: its groups must be met, to be undecided.
  const plan =
    ast && issues.length === 0 ? planGuards(text, ast) : { thresholds: [], conditions: [] }
  return { facts: factsOf(checked), plan, fault: issues[0] }
}

/** Where and why the evaluation of a criteria fails even on nothing, for example `1 + 'a'`. */
export function dryRun(text: string): { error: string; position: Position } | undefined {
  const verdict = compileProgram(text, learn(text)).run(nothing, noReferences)
  return verdict.kind === 'undecided' && verdict.position
    ? { error: verdict.error, position: verdict.position }
    : undefined
}

function compileProgram(
  text: string,
  { fault, facts }: Learned,
  observer?: EvaluationObserver,
): Program {
  // Here too: what is stored may have been written before a check existed, or past it.
  if (fault) return refused(fault.message, fault.position)
  const expression = compileExpression(text, { onNode: observer?.onNode?.bind(observer) })
  const runOnce = (change: Change, references: References, fuel: Fuel): Verdict => {
    try {
      return verdictOf(expression.evaluate(change, references, fuel), references)
    } catch (error) {
      // What went wrong without a resource may be right with it.
      if (references.missing.length > 0 && !isTopicDestinationError(error)) {
        return { kind: 'pending', references: references.missing }
      }
      const undecided = { error: withoutContent(error), position: fuel.position }
      return { kind: 'undecided', ...undecided, ...(error instanceof FuelError ? { cost: 1 } : {}) }
    }
  }
  return {
    run(change, resolved) {
      if (facts.usesPrevious && isPreviousUnknown(change)) {
        return { kind: 'undecided', error: unknownPrevious }
      }
      const fuel = expression.fuel()
      const references = new References(resolved)
      const verdict = runOnce(change, references, fuel)
      observer?.onEvaluated({ tree: expression.tree, steps: fuel.steps, verdict })
      return { cost: Math.min(1, Math.max(fuel.share, references.share)), ...verdict }
    },
  }
}

function refused(error: string, position: Position | undefined): Program {
  return { run: () => ({ kind: 'undecided', error, position }) }
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
