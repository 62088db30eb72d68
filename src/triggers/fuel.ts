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
  #position: Position | undefined

  constructor(compared: ReadonlySet<AstNode>) {
    this.#compared = compared
  }

  /** Where the evaluation has got to. */
  get position(): Position | undefined {
    return this.#position
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
    }
  }
}

/** @throws {@link FuelError} when a computed string would be too long. */
export function checkComputedLength(chars: number): void {
  const { maxComputedChars } = criteriaLimits
  if (chars > maxComputedChars)
    throw stopped(`computes a string of over ${maxComputedChars} characters`)
}

/** @throws {@link FuelError} when a text is too long for a regular expression. */
export function checkMatchedLength(chars: number): void {
  const { maxMatchedChars } = criteriaLimits
  if (chars > maxMatchedChars) throw stopped(`matches a text of over ${maxMatchedChars} characters`)
}

function stopped(reason: string): FuelError {
  return new FuelError('KTD_CRITERIA', `The criteria was stopped: it ${reason}.`)
}
