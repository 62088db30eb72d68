/** The part of FHIRPath that a criteria may use. */

export const criteriaLimits = {
  maxChars: 4096,
  /** Length of all criteria of one topic. */
  maxTopicChars: 65_536,
  maxNodes: 600,
  /** `where`, `select`, `all`, `exists` inside one another: each level multiplies the work by the number of items. */
  maxNestedLoops: 2,
  /** `replace` after `replace` can double a string each time. */
  maxReplaces: 4,
  /** Steps of one evaluation. */
  maxSteps: 20_000,
  /** Items in all results of one evaluation. */
  maxItems: 50_000,
  /** Length of a string that is computed, not read from the resource. */
  maxComputedChars: 65_536,
  /** Instructions of one compiled regular expression. */
  maxPatternSize: 1_000,
  /** Instructions times characters, for all regular expressions of one evaluation: each character may visit every instruction. */
  maxMatchSteps: 20_000_000,
  /** Length of the unit of a Quantity: the reader of units takes the square of it. */
  maxUnitChars: 200,
  /** Length of all units of one evaluation. */
  maxAllUnitChars: 20_000,
  /** Length of the strings of the resource that functions of one evaluation read through. */
  maxReadChars: 20_000_000,
  /** Characters of texts times characters of what is looked for in them. */
  maxSearchSteps: 250_000_000,
  /** What one evaluation compares: the parts of values, in collections whose items are compared with one another each as often as there
   *  are items. */
  maxComparisons: 1_000_000,
  maxReferences: 50,
  maxResolveRounds: 3,
} as const

/** Number of arguments, from and to. */
type Arity = readonly [min: number, max: number]

const none: Arity = [0, 0]
const one: Arity = [1, 1]
const optional: Arity = [0, 1]

/** Source: https://hl7.org/fhirpath/N1/ and https://hl7.org/fhir/R4/fhirpath.html. Left out on purpose: what can run for ever
 *  (repeat, aggregate), needs a terminology server (memberOf, subsumes), or writes somewhere (trace). */
export const functionArities: ReadonlyMap<string, Arity> = new Map<string, Arity>([
  ...[
    ...['abs', 'allFalse', 'allTrue', 'anyFalse', 'anyTrue', 'ceiling', 'children', 'count'],
    ...['convertsToBoolean', 'convertsToDate', 'convertsToDateTime', 'convertsToDecimal'],
    ...['convertsToInteger', 'convertsToString', 'convertsToTime', 'descendants', 'distinct'],
    ...['empty', 'first', 'floor', 'getValue', 'hasValue', 'isDistinct', 'last', 'length'],
    ...['lower', 'not', 'now', 'resolve', 'single', 'tail', 'timeOfDay', 'toBoolean', 'toChars'],
    ...['toDate', 'toDateTime', 'toDecimal', 'toInteger', 'toString', 'toTime', 'today', 'trim'],
    ...['truncate', 'type', 'upper'],
  ].map((name): [string, Arity] => [name, none]),
  ...[
    ...['all', 'as', 'combine', 'comparable', 'contains', 'endsWith', 'exclude', 'extension'],
    ...['indexOf', 'intersect', 'is', 'matches', 'matchesFull', 'ofType', 'select', 'skip'],
    ...['split', 'startsWith', 'subsetOf', 'supersetOf', 'take', 'union', 'where'],
  ].map((name): [string, Arity] => [name, one]),
  ...['convertsToQuantity', 'exists', 'join', 'round', 'toQuantity'].map(
    (name): [string, Arity] => [name, optional],
  ),
  ['iif', [2, 3]],
  ['replace', [2, 2]],
  ['substring', [1, 2]],
])

/** Why a function of FHIRPath is not in {@link functionArities}. */
export const refusedFunctions: ReadonlyMap<string, string> = new Map([
  ['aggregate', 'it can run without end'],
  ['conformsTo', 'it needs the profiles of the server'],
  ['defineVariable', 'write the expression out instead'],
  ['memberOf', 'it needs a terminology server; list the codes instead'],
  ['repeat', 'it can run without end; use descendants() or write the path out'],
  ['replaceMatches', 'use matches() or replace() instead'],
  ['subsumedBy', 'it needs a terminology server; list the codes instead'],
  ['subsumes', 'it needs a terminology server; list the codes instead'],
  ['trace', 'it writes resource content to a log'],
])

/** Functions whose arguments are evaluated once per item. */
export const loopFunctions: ReadonlySet<string> = new Set(['all', 'exists', 'select', 'where'])

/** How functions and operators compare their collections: by their first items, then the second, and so on (`values`); every item with
 *  every other (`items`), or by a hash where all are objects (`hashed`). */
export const comparingFunctions: ReadonlyMap<string, 'hashed'> = new Map([
  ...['distinct', 'exclude', 'intersect', 'isDistinct', 'subsetOf', 'supersetOf', 'union'].map(
    (name) => [name, 'hashed'] as const,
  ),
])
export const comparingOperators: ReadonlyMap<string, 'values' | 'hashed' | 'items'> = new Map([
  ['=', 'values'],
  ['!=', 'values'],
  ['~', 'values'],
  ['!~', 'values'],
  ['|', 'hashed'],
  ['in', 'values'],
  ['contains', 'values'],
])

/** Functions that go through the strings they are given. */
export const readingFunctions: ReadonlySet<string> = new Set([
  ...['contains', 'convertsToBoolean', 'convertsToDate', 'convertsToDateTime', 'convertsToDecimal'],
  ...['convertsToInteger', 'convertsToQuantity', 'convertsToString', 'convertsToTime', 'indexOf'],
  ...['join', 'lower', 'matches', 'matchesFull', 'replace', 'split', 'toBoolean', 'toChars'],
  ...['toDate', 'toDateTime', 'toDecimal', 'toInteger', 'toQuantity', 'toTime', 'trim', 'upper'],
])

/** Variables of a criteria and what they stand for. */
export const criteriaVariables: readonly string[] = [
  ...['current', 'previous', 'resource', 'rootResource', 'context', 'ucum', 'sct', 'loinc'],
]

/** Functions whose result does not depend on their input's type. */
export const resultTypes: ReadonlyMap<string, string> = new Map([
  ...[
    ...['all', 'allFalse', 'allTrue', 'anyFalse', 'anyTrue', 'comparable', 'contains'],
    ...['convertsToBoolean', 'convertsToDate', 'convertsToDateTime', 'convertsToDecimal'],
    ...['convertsToInteger', 'convertsToQuantity', 'convertsToString', 'convertsToTime', 'empty'],
    ...['endsWith', 'exists', 'hasValue', 'is', 'isDistinct', 'matches', 'matchesFull', 'not'],
    ...['startsWith', 'subsetOf', 'supersetOf', 'toBoolean'],
  ].map((name): [string, string] => [name, 'System.Boolean']),
  ...['join', 'lower', 'replace', 'substring', 'toChars', 'toString', 'trim', 'upper', 'split'].map(
    (name): [string, string] => [name, 'System.String'],
  ),
  ...['count', 'indexOf', 'length', 'toInteger'].map((name): [string, string] => [
    name,
    'System.Integer',
  ]),
  ['extension', 'Extension'],
  ['now', 'System.DateTime'],
  ['today', 'System.Date'],
  ['timeOfDay', 'System.Time'],
])

/** Functions that give back items of their input. */
export const filterFunctions: ReadonlySet<string> = new Set([
  ...['distinct', 'exclude', 'first', 'intersect', 'last', 'single', 'skip', 'tail', 'take'],
  'where',
])
