import { TopicDestinationError } from '../errors.ts'
import {
  comparingFunctions,
  comparingOperators,
  criteriaLimits,
  readingFunctions,
} from './criteria-language.ts'
import { dataSize, isResourceNode } from './data-size.ts'
import { allNodes, functionCall, type AstNode, type Position } from './fhirpath-ast.ts'

/** An evaluation went over a limit. */
export class FuelError extends TopicDestinationError {
  override readonly name = 'FuelError'
}

/** One function or operator of the tree that compares. */
interface Comparison {
  /** `values`: the first item with the first, and so on. `hashed`: every item with every other, by a hash where all are objects.
   *  `items`: every item with every other. */
  readonly kind: 'values' | 'hashed' | 'items'
  /** Collections that it compares. */
  readonly operands: number
}

/** Comparisons by their operands, and by the function call whose input is one. */
export type ComparedNodes = (node: AstNode) => Comparison | undefined

/** Taken from the very tree that is evaluated, because the hook knows nodes by identity only. */
export function comparedNodes(ast: AstNode): ComparedNodes {
  const compared = new Map<AstNode, Comparison>()
  for (const node of allNodes(ast)) {
    const call = node.type === 'Functn' ? functionCall(node) : undefined
    const operands = call ? [node, ...call.args] : (node.children ?? [])
    const kind = call ? comparingFunctions.get(call.name) : comparingOperators.get(node.text ?? '')
    if (!kind) continue
    const comparison = { kind, operands: operands.length }
    for (const operand of operands) compared.set(operand, comparison)
  }
  return (node) => compared.get(node)
}

/** For a tree that is not known. */
export const everyNodeCompared: ComparedNodes = () => ({ kind: 'items', operands: 1 })

/** What is known of a comparison some of whose operands have been evaluated. */
interface Tally {
  operands: number
  items: number
  size: number
  hasPrimitive: boolean
}

/** Bounds one evaluation. Fed by fhirpath.js's `debugger` option, which is called after each node of the tree. */
export class Fuel {
  readonly #compared: ComparedNodes
  #steps = 0
  #items = 0
  #comparisons = 0
  readonly #tallies = new Map<Comparison, Tally>()
  #matchSteps = 0
  #searchSteps = 0
  #readChars = 0
  #unitChars = 0
  #position: Position = { line: 1, column: 1 }

  constructor(compared: ComparedNodes) {
    this.#compared = compared
  }

  /** Nodes evaluated so far. */
  get steps(): number {
    return this.#steps
  }

  /** The part of what one evaluation may take that is used up, by the measure of which it is most: 0 to about 1. */
  get share(): number {
    return Math.max(
      this.#steps / criteriaLimits.maxSteps,
      this.#items / criteriaLimits.maxItems,
      this.#comparisons / criteriaLimits.maxComparisons,
      this.#matchSteps / criteriaLimits.maxMatchSteps,
      this.#searchSteps / criteriaLimits.maxSearchSteps,
      this.#readChars / criteriaLimits.maxReadChars,
      this.#unitChars / criteriaLimits.maxAllUnitChars,
    )
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

  /** Before a string is looked for in a text.
   *  @throws {@link FuelError} when all searches together could take too long. */
  spendOnSearch(textChars: number, partChars: number): void {
    this.#searchSteps += textChars * partChars
    if (this.#searchSteps > criteriaLimits.maxSearchSteps) {
      throw stopped('looks for too long strings in too long texts')
    }
  }

  /** Before a function goes through so many characters of the resource.
   *  @throws {@link FuelError} when all of them together are too many. */
  spendOnRead(chars: number): void {
    this.#readChars += chars
    const { maxReadChars } = criteriaLimits
    if (this.#readChars > maxReadChars) throw stopped(`reads more than ${maxReadChars} characters`)
  }

  /** After a node was evaluated.
   *  @throws {@link FuelError} */
  spend(focus: readonly unknown[], result: unknown, node: AstNode): void {
    const { maxSteps } = criteriaLimits
    if (node.start) this.#position = node.start
    if (++this.#steps > maxSteps) throw stopped(`takes more than ${maxSteps} steps`)
    const comparison = this.#compared(node)
    // A function's name is evaluated before the function itself: the last moment to look at its input.
    const call = node.type === 'Functn' ? functionCall(node) : undefined
    if (call) {
      if (comparison) this.#spendOnOperand(focus, comparison)
      this.#spendOnCall(call.name, focus)
      return
    }
    if (!Array.isArray(result)) return
    this.#items += result.length
    checkItems(this.#items)
    if (comparison) this.#spendOnOperand(result, comparison)
    for (const item of result) {
      if (typeof item === 'string') checkComputedLength(item.length)
      else this.#spendOnUnit(item)
    }
  }

  #spendOnCall(name: string, input: readonly unknown[]): void {
    if (name === 'children' || name === 'descendants') {
      checkItems(dataSize(input, criteriaLimits.maxItems + 1))
    } else if (readingFunctions.has(name)) {
      for (const item of input) this.spendOnRead(stringLength(item))
    }
  }

  /** What is compared is known when the last operand has been evaluated, which is before the comparison itself. */
  #spendOnOperand(items: readonly unknown[], comparison: Comparison): void {
    const { maxComparisons } = criteriaLimits
    const tally = this.#tallies.get(comparison) ?? {
      operands: 0,
      items: 0,
      size: 0,
      hasPrimitive: false,
    }
    tally.operands++
    tally.items += items.length
    tally.size += dataSize(items, maxComparisons)
    tally.hasPrimitive ||= items.some(isPrimitive)
    if (tally.operands < comparison.operands) {
      this.#tallies.set(comparison, tally)
      return
    }
    this.#tallies.delete(comparison)
    this.#comparisons += comparisonsOf(tally, comparison.kind)
    if (this.#comparisons > maxComparisons) throw stopped('compares too many or too big items')
  }

  /** Quantities are compared by their units, and those come from whoever writes resources. */
  #spendOnUnit(item: unknown): void {
    if (typeof item !== 'object' || item === null) return
    // A computed Quantity, or the wrapper around one of the resource.
    const { unit, data } = item as { unit?: unknown; data?: { system?: unknown; code?: unknown } }
    const { maxUnitChars, maxAllUnitChars } = criteriaLimits
    for (const text of [unit, data?.system === ucum ? data.code : undefined]) {
      if (typeof text !== 'string') continue
      if (text.length > maxUnitChars)
        throw stopped(`reads a unit of over ${maxUnitChars} characters`)
      this.#unitChars += text.length
      if (this.#unitChars > maxAllUnitChars) throw stopped('reads too many units')
    }
  }
}

/** Making a hash of a part takes as long as comparing it so many times. */
const comparisonsPerHash = 4

function comparisonsOf({ items, size, hasPrimitive }: Tally, kind: Comparison['kind']): number {
  if (kind === 'values') return size
  if (kind === 'hashed' && !hasPrimitive) return size * comparisonsPerHash
  return size * items
}

/** @throws {@link FuelError} when these are more items than an evaluation may go through. */
export function checkItems(items: number): void {
  const { maxItems } = criteriaLimits
  if (items > maxItems) throw stopped(`goes through more than ${maxItems} items`)
}

/** @throws {@link FuelError} when a computed string would be too long. */
export function checkComputedLength(chars: number): void {
  const { maxComputedChars } = criteriaLimits
  if (chars > maxComputedChars)
    throw stopped(`computes a string of over ${maxComputedChars} characters`)
}

const ucum = 'http://unitsofmeasure.org'

function isPrimitive(item: unknown): boolean {
  return !isResourceNode(item) || typeof item.data !== 'object' || item.data === null
}

/** Of a string, or of the wrapper around one of the resource. */
function stringLength(item: unknown): number {
  const value = isResourceNode(item) ? item.data : item
  return typeof value === 'string' ? value.length : 0
}

function stopped(reason: string): FuelError {
  return new FuelError('KTD_CRITERIA', `The criteria was stopped: it ${reason}.`)
}
