import { compile, type UserInvocationTable } from 'fhirpath'
import r4 from 'fhirpath/fhir-context/r4'
import type { FhirResource } from '../host/types.ts'
import { criteriaLimits } from './criteria-language.ts'
import { checkComputedLength, checkItems, type Fuel } from './fuel.ts'
import { compilePattern, type Pattern } from './linear-regex.ts'
import type { References } from './references.ts'

/** fhirpath.js's wrapper around a value of a resource. */
interface ResourceNode {
  readonly data: unknown
  readonly parentResNode: ResourceNode | null
}

interface ResourceNodeClass {
  makeResNode(
    context: unknown,
    data: unknown,
    parent: null,
    path: null,
    shadow: null,
    type: null,
  ): ResourceNode
}

// The class is not exported; a node tells it.
const [anyNode] = compile('$this', r4, { resolveInternalTypes: false })({
  resourceType: 'Basic',
}) as [ResourceNode]
const nodeClass = anyNode.constructor as Function & ResourceNodeClass

/** Value of a result of fhirpath.js, in or without its wrapper. */
export function plainValue(item: unknown): unknown {
  return isNode(item) ? item.data : item
}

/** What an evaluation pays with, and what `resolve()` looks into: never the network. */
export interface Evaluation {
  readonly fuel: Fuel
  readonly references: References
}

/** Functions that replace fhirpath.js's own, for one expression.
 *  @param current the evaluation under way; the table is made once because evaluations are many and short */
export function criteriaFunctions(current: () => Evaluation): UserInvocationTable {
  const patterns = new Map<string, Pattern>()
  const compiled = (text: string): Pattern => {
    let pattern = patterns.get(text)
    if (!pattern) patterns.set(text, (pattern = compilePattern(text)))
    return pattern
  }
  const regexFunction = (
    matches: (pattern: Pattern, text: string) => boolean,
  ): UserInvocationTable[string] => ({
    arity: { 1: ['String'] },
    nullable: true,
    fn: (items: readonly unknown[], pattern: string) => {
      const text = singleString(items)
      if (text === undefined) return []
      const { size } = compiled(pattern)
      current().fuel.spendOnMatch(size, text.length)
      return matches(compiled(pattern), text)
    },
  })
  const searchFunction = (
    search: (text: string, part: string) => unknown,
  ): UserInvocationTable[string] => ({
    arity: { 1: ['String'] },
    fn: (items: readonly unknown[], part: unknown) => {
      const text = singleString(items)
      if (text === undefined || typeof part !== 'string') return []
      // JavaScript compares each place of a text with as much of the part as is equal there.
      current().fuel.spendOnSearch(text.length, part.length)
      return search(text, part)
    },
  })
  const affixFunction = (
    isAffix: (text: string, affix: string) => boolean,
  ): UserInvocationTable[string] => ({
    arity: { 1: ['String'] },
    fn: (items: readonly unknown[], affix: unknown) => {
      const text = singleString(items)
      if (text === undefined || typeof affix !== 'string') return []
      if (affix.length > text.length) return false
      current().fuel.spendOnRead(affix.length)
      return isAffix(text, affix)
    },
  })
  return {
    startsWith: affixFunction((text, prefix) => text.startsWith(prefix)),
    endsWith: affixFunction((text, suffix) => text.endsWith(suffix)),
    matches: regexFunction((pattern, text) => pattern.find(text)),
    matchesFull: regexFunction((pattern, text) => pattern.matchFull(text)),
    contains: searchFunction((text, part) => text.includes(part)),
    indexOf: searchFunction((text, part) => text.indexOf(part)),
    lastIndexOf: searchFunction((text, part) => text.lastIndexOf(part)),
    split: searchFunction(pieces),
    toChars: {
      arity: { 0: [] },
      fn: (items: readonly unknown[]) => pieces(singleString(items) ?? '', ''),
    },
    replace: {
      arity: { 2: ['String', 'String'] },
      fn: (items: readonly unknown[], pattern: unknown, substitution: unknown) =>
        replace(current().fuel, singleString(items), pattern, substitution),
    },
    resolve: {
      arity: { 0: [] },
      fn(this: unknown, items: readonly unknown[]) {
        return items.flatMap((item) => {
          const resource = referenced(item, current().references)
          return resource === undefined
            ? []
            : [nodeClass.makeResNode(this, resource, null, null, null, null)]
        })
      },
    },
  }
}

/** @throws FuelError before more pieces are made than an evaluation may look at */
function pieces(text: string, separator: string): string[] {
  const { maxItems } = criteriaLimits
  const found = text.split(separator, maxItems + 1)
  checkItems(found.length)
  return found
}

function replace(
  fuel: Fuel,
  text: string | undefined,
  pattern: unknown,
  substitution: unknown,
): unknown {
  if (text === undefined || typeof pattern !== 'string' || typeof substitution !== 'string') {
    return []
  }
  fuel.spendOnSearch(text.length, pattern.length)
  const found = pattern === '' ? text.length + 1 : text.split(pattern).length - 1
  // Before the string is made: one call can make it thousands of times longer.
  checkComputedLength(text.length + found * (substitution.length - pattern.length))
  return text.replaceAll(pattern, () => substitution)
}

/** @throws Error as fhirpath.js's own functions do for several items or for one that is no string. */
function singleString(items: readonly unknown[]): string | undefined {
  const [item, ...others] = items
  const value = plainValue(item)
  if (others.length > 0) throw new Error('Unexpected collection')
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw new Error('Expected string')
  return value
}

/** The resource that a Reference, or a string that holds one, points at. */
function referenced(item: unknown, references: References): FhirResource | undefined {
  const value = plainValue(item)
  const reference = isRecord(value) ? value['reference'] : value
  if (typeof reference !== 'string') return undefined
  return reference.startsWith('#')
    ? contained(item, reference.slice(1))
    : references.lookUp(reference)
}

/** `#id` is looked for in the resource that the reference itself is in; `#` alone is that resource. */
function contained(item: unknown, id: string): FhirResource | undefined {
  if (!isNode(item)) return undefined
  let node = item
  while (node.parentResNode) node = node.parentResNode
  const root = node.data
  if (!isRecord(root)) return undefined
  if (id === '') return root as FhirResource
  const list: unknown = root['contained']
  return Array.isArray(list)
    ? (list.find((inner) => isRecord(inner) && inner['id'] === id) as FhirResource | undefined)
    : undefined
}

function isNode(item: unknown): item is ResourceNode {
  return item instanceof nodeClass
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
