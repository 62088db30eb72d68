import { FP_Decimal, util } from 'fhirpath'
import type { Change } from '../host/types.ts'
import { criteriaLimits } from './criteria-language.ts'
import { compileExpression, type Expression } from './expression.ts'
import type { Fuel } from './fuel.ts'
import { noReferences, References } from './references.ts'
import { asksForPrevious, isPreviousUnknown } from './unknown-previous.ts'
import type { ComparableNumber, NumberAtPath, NumbersAtPaths } from './thresholds.ts'

interface PathExpression {
  readonly expression: Expression
  readonly needsPrevious: boolean
}

/** Expressions of paths: thousands of criteria ask for the same few. */
const expressions = new Map<string, PathExpression>()
/** Paths come from clients' texts. */
const maxExpressions = 1000

/** Paths that are read for one change, */
const maxPaths = 100
/** and steps of all of them together, after which none is read any more. Whoever asks for more evaluates criteria by criteria. */
const maxSteps = criteriaLimits.maxSteps

/** The numbers at paths of one change. Each path is evaluated once, whatever the number of criteria that compare it. */
export class PathNumbers implements NumbersAtPaths {
  readonly #change: Change
  readonly #known = new Map<string, NumberAtPath>()
  #steps = 0

  constructor(change: Change) {
    this.#change = change
  }

  at(path: string): NumberAtPath {
    let number = this.#known.get(path)
    if (number === undefined) {
      if (this.#isSpent) return 'unclear'
      this.#known.set(path, (number = this.#read(path)))
    }
    return number
  }

  /** Reads the first of the paths that has not been read.
   *
   *  @returns false when there is none, or no more are read for this change */
  readNext(paths: Iterable<string>): boolean {
    if (this.#isSpent) return false
    for (const path of paths) {
      if (this.#known.has(path)) continue
      this.at(path)
      return true
    }
    return false
  }

  get #isSpent(): boolean {
    return this.#known.size >= maxPaths || this.#steps > maxSteps
  }

  #read(path: string): NumberAtPath {
    let fuel: Fuel | undefined
    try {
      const { expression, needsPrevious } = expressionOf(path)
      if (needsPrevious && isPreviousUnknown(this.#change)) return 'unclear'
      fuel = expression.fuel()
      return numberAmong(expression.evaluate(this.#change, new References(noReferences), fuel))
    } catch {
      // The criteria fails in the same way, and says why.
      return 'unclear'
    } finally {
      this.#steps += fuel?.steps ?? 0
    }
  }
}

function expressionOf(path: string): PathExpression {
  let known = expressions.get(path)
  if (!known) {
    if (expressions.size === maxExpressions) expressions.clear()
    const expression = compileExpression(path)
    known = { expression, needsPrevious: asksForPrevious(expression.tree) }
    expressions.set(path, known)
  }
  return known
}

/** @throws what fhirpath.js throws on a value that cannot be compared */
function numberAmong(items: readonly unknown[]): NumberAtPath {
  if (items.length === 0) return 'none'
  // As fhirpath.js takes the sides of a comparison.
  const value: unknown = items.length === 1 ? util.valDataConverted(items[0]) : undefined
  // Its types do not tell of `compare`, which compares by the precision of FHIRPath.
  return value instanceof FP_Decimal ? (value as FP_Decimal & ComparableNumber) : 'unclear'
}
