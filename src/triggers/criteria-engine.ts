import { isTopicDestinationError } from '../errors.ts'
import type { Change } from '../host/types.ts'
import { checkSyntax } from './criteria-check.ts'
import { plainValue } from './criteria-functions.ts'
import { compileExpression, nothing } from './expression.ts'
import type { Position } from './fhirpath-ast.ts'
import { guardsFor, planGuards, type GuardPlan, type Guards } from './guards.ts'
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

interface Program {
  run(change: Change, resolved: ResolvedReferences): Verdict
}

class FhirPathCriteria implements Criteria {
  readonly #text: string
  #program: Program | undefined
  /** Not the tree: most criteria of a big index are never evaluated. */
  #plan: GuardPlan | undefined
  /** Of the type that was asked for last: the buckets of a type are filled one after the other. */
  #guards: { readonly resourceType: string; readonly guards: Guards } | undefined

  constructor(text: string) {
    this.#text = text
  }

  guards(resourceType: string): Guards {
    this.#plan ??= planOf(this.#text)
    if (this.#guards?.resourceType !== resourceType) {
      this.#guards = { resourceType, guards: guardsFor(this.#plan, resourceType) }
    }
    return this.#guards.guards
  }

  evaluate(change: Change, resolved: ResolvedReferences): Verdict {
    this.#program ??= compileProgram(this.#text)
    return this.#program.run(change, resolved)
  }
}

/** Nothing is known of what is not valid: its groups must be met, to be undecided. */
function planOf(text: string): GuardPlan {
  const { ast, issues } = checkSyntax(text)
  return ast && issues.length === 0 ? planGuards(ast) : []
}

const noReferences: ResolvedReferences = new Map()

/** Where and why the evaluation of a criteria fails even on nothing, for example `1 + 'a'`. */
export function dryRun(text: string): { error: string; position: Position } | undefined {
  const verdict = compileProgram(text).run(nothing, noReferences)
  return verdict.kind === 'undecided' && verdict.position
    ? { error: verdict.error, position: verdict.position }
    : undefined
}

function compileProgram(text: string): Program {
  // Checked here too: what is stored may have been written before a check existed, or past it.
  const { issues } = checkSyntax(text)
  const [fault] = issues
  if (fault) return refused(fault.message, fault.position)
  const expression = compileExpression(text)
  return {
    run(change, resolved) {
      const references = new References(resolved)
      const fuel = expression.fuel()
      try {
        return verdictOf(expression.evaluate(change, references, fuel), references)
      } catch (error) {
        // What went wrong without a resource may be right with it.
        if (references.missing.length > 0 && !isTopicDestinationError(error)) {
          return { kind: 'pending', references: references.missing }
        }
        return { kind: 'undecided', error: withoutContent(error), position: fuel.position }
      }
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
