import { TopicDestinationError } from '../errors.ts'
import { comparingFunctions, comparingOperators, criteriaLimits } from './criteria-language.ts'
import { allNodes, functionCall, type AstNode, type Position } from './fhirpath-ast.ts'

/** An evaluation went over a limit. */
export class FuelError extends TopicDestinationError {
  override readonly name = 'FuelError'
}

/** Nodes whose results are compared item by item with another collection.
 *  Taken from the very tree that is evaluated, because the hook knows nodes by identity only. */
export function comparedNodes(ast: AstNode): ReadonlySet<AstNode> {
  const compared = new Set<AstNode>()
  for (const node of allNodes(ast)) {
    const call = node.type === 'Functn' ? functionCall(node) : undefined
    if (call && comparingFunctions.has(call.name)) {
      for (const argument of call.args) compared.add(argument)
    } else if (comparingOperators.has(node.text ?? '') && !call) {
      for (const operand of node.children ?? []) compared.add(operand)
    }
  }
  return compared
}

/** Bounds one evaluation. `spend` is fhirpath.js's `debugger` option, which is called after each node of the tree. */
export class Fuel {
  readonly #compared: ReadonlySet<AstNode>
  #steps = 0
  #items = 0
  #matchSteps = 0
  #position: Position = { line: 1, column: 1 }

  constructor(compared: ReadonlySet<AstNode>) {
    this.#compared = compared
  }

  /** Nodes evaluated so far. */
  get steps(): number {
    return this.#steps
  }

  /** Where the evaluation has got to. */
  get position(): Position {
    return this.#position
  }

  /** Before a regular expression of `size` instructions runs on a text.
   *  @throws {@link FuelError} when all of them together would take too long. */
  spendOnMatch(size: number, chars: number): void {
    this.#matchSteps += size * chars
    if (this.#matchSteps > criteriaLimits.maxMatchSteps) {
      throw stopped('runs regular expressions on too long texts')
    }
  }

  readonly spend = (
    _context: unknown,
    focus: readonly unknown[],
    result: unknown,
    node: AstNode,
  ): void => {
    const { maxSteps, maxItems, maxComparedItems } = criteriaLimits
    if (node.start) this.#position = node.start
    if (++this.#steps > maxSteps) throw stopped(`takes more than ${maxSteps} steps`)
    // A function's name is evaluated before the function itself: the last moment to look at its input.
    const call = node.type === 'Functn' ? functionCall(node) : undefined
    if (call && comparingFunctions.has(call.name) && focus.length > maxComparedItems) {
      throw stopped(`compares more than ${maxComparedItems} items`)
    }
    if (!Array.isArray(result) || call) return
    this.#items += result.length
    if (this.#items > maxItems) throw stopped(`goes through more than ${maxItems} items`)
    if (this.#compared.has(node) && result.length > maxComparedItems) {
      throw stopped(`compares more than ${maxComparedItems} items`)
    }
    for (const item of result) {
      if (typeof item === 'string') checkComputedLength(item.length)
      else checkUnit(item)
    }
  }
}

/** @throws {@link FuelError} when a computed string would be too long. */
export function checkComputedLength(chars: number): void {
  const { maxComputedChars } = criteriaLimits
  if (chars > maxComputedChars)
    throw stopped(`computes a string of over ${maxComputedChars} characters`)
}

const ucum = 'http://unitsofmeasure.org'

/** Quantities are compared by their units, and those come from whoever writes resources. */
function checkUnit(item: unknown): void {
  if (typeof item !== 'object' || item === null) return
  // A computed Quantity, or the wrapper around one of the resource.
  const { unit, data } = item as { unit?: unknown; data?: { system?: unknown; code?: unknown } }
  const { maxUnitChars } = criteriaLimits
  for (const text of [unit, data?.system === ucum ? data.code : undefined]) {
    if (typeof text === 'string' && text.length > maxUnitChars) {
      throw stopped(`reads a unit of over ${maxUnitChars} characters`)
    }
  }
}

function stopped(reason: string): FuelError {
  return new FuelError('KTD_CRITERIA', `The criteria was stopped: it ${reason}.`)
}
