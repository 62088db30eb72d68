/** The part of FHIRPath that a criteria may use. */

export const criteriaLimits = {
  /** Characters of one criteria. */
  maxChars: 4096,
  /** Characters of all criteria of one topic. */
  maxTopicChars: 65_536,
  /** Parts of one criteria: words, literals, operators, calls. */
  maxNodes: 600,
  /** `where`, `select`, `all`, `exists` inside one another: each level multiplies the work by the number of items. */
  maxNestedLoops: 2,
  /** Calls of `replace`: one after the other can double a string each time. */
  maxReplaces: 4,
  /** Steps of one evaluation: each part, as often as it is evaluated. */
  maxSteps: 20_000,
  /** Items in all results of one evaluation. */
  maxItems: 50_000,
  /** What one evaluation compares: the parts of values, in collections whose items are compared with one another each as often as there
   *  are items. */
  maxComparisons: 1_000_000,
  /** Characters of a string that is computed, not read from the resource. */
  maxComputedChars: 65_536,
  /** Characters of the resource that functions of one evaluation read through. */
  maxReadChars: 10_000_000,
  /** Characters of texts times characters of what `contains`, `indexOf`, `split` and the like look for in them. */
  maxSearchSteps: 250_000_000,
  /** Instructions of one compiled regular expression. */
  maxPatternSize: 1_000,
  /** Instructions times characters, for all regular expressions of one evaluation: each character may visit every instruction. */
  maxMatchSteps: 20_000_000,
  /** Characters of the unit of a Quantity: the reader of units takes the square of them. */
  maxUnitChars: 200,
  /** Characters of all units of one evaluation. */
  maxAllUnitChars: 20_000,
  /** References that one evaluation resolves. */
  maxReferences: 50,
  /** Times what one evaluation may take of any of these, for all criteria of one topic and one change together. */
  maxTopicEvaluations: 10,
  /** Reads from the database, one after the other, that `resolve()` may take for one write. */
  maxResolveRounds: 3,
} as const

/** Number of arguments, from and to. */
type Arity = readonly [min: number, max: number]

const none: Arity = [0, 0]
const one: Arity = [1, 1]
const optional: Arity = [0, 1]

/** Source: https://hl7.org/fhirpath/N1/ and https://hl7.org/fhir/R4/fhirpath.html. What is left out on purpose stands in {@link refusedFunctions}. */
export const functionArities: ReadonlyMap<string, Arity> = new Map<string, Arity>([
  ...[
    ...['abs', 'allFalse', 'allTrue', 'anyFalse', 'anyTrue', 'ceiling', 'children', 'count'],
    ...['convertsToBoolean', 'convertsToDate', 'convertsToDateTime', 'convertsToDecimal'],
    ...['convertsToInteger', 'convertsToString', 'convertsToTime', 'descendants', 'distinct'],
    ...[
      'empty',
      'exp',
      'first',
      'floor',
      'getValue',
      'hasValue',
      'isDistinct',
      'last',
      'length',
      'ln',
    ],
    ...[
      'lower',
      'not',
      'now',
      'resolve',
      'single',
      'sqrt',
      'tail',
      'timeOfDay',
      'toBoolean',
      'toChars',
    ],
    ...['toDate', 'toDateTime', 'toDecimal', 'toInteger', 'toString', 'toTime', 'today', 'trim'],
    ...['truncate', 'type', 'upper'],
  ].map((name): [string, Arity] => [name, none]),
  ...[
    ...['all', 'as', 'combine', 'comparable', 'contains', 'decode', 'encode', 'endsWith', 'escape'],
    ...['exclude', 'extension', 'lastIndexOf', 'log', 'power', 'unescape'],
    ...['indexOf', 'intersect', 'is', 'matches', 'matchesFull', 'ofType', 'select', 'skip'],
    ...['split', 'startsWith', 'subsetOf', 'supersetOf', 'take', 'union', 'where'],
  ].map((name): [string, Arity] => [name, one]),
  ...[
    'convertsToQuantity',
    'exists',
    'highBoundary',
    'join',
    'lowBoundary',
    'round',
    'toQuantity',
  ].map((name): [string, Arity] => [name, optional]),
  ['iif', [2, 3]],
  ['replace', [2, 2]],
  ['substring', [1, 2]],
])

/** Why a function of FHIRPath is not in {@link functionArities}. */
export const refusedFunctions: ReadonlyMap<string, string> = new Map([
  ['aggregate', 'it can run without end'],
  ['avg', 'compare the items with all() or exists()'],
  ['checkModifiers', 'it needs the profiles of the server'],
  ['coalesce', 'write iif()'],
  ['conformsTo', 'it needs the profiles of the server'],
  ['convertsToLong', 'use convertsToInteger() or convertsToDecimal()'],
  ['defineVariable', 'write the expression out instead'],
  ['elementDefinition', 'it needs the profiles of the server'],
  ['htmlChecks', 'the server checks narratives itself'],
  ['max', 'compare the items with all() or exists()'],
  ['memberOf', 'it needs a terminology server; list the codes instead'],
  ['min', 'compare the items with all() or exists()'],
  ['ordinal', 'it needs the questionnaire'],
  ['precision', 'it is not supported; compare lowBoundary() with highBoundary()'],
  ['repeat', 'it can run without end; use descendants() or write the path out'],
  ['replaceMatches', 'use matches() or replace() instead'],
  ['slice', 'it needs the profiles of the server'],
  ['sort', 'compare the items with all() or exists(), whatever their order'],
  ['subsumedBy', 'it needs a terminology server; list the codes instead'],
  ['subsumes', 'it needs a terminology server; list the codes instead'],
  ['sum', 'compare the items with all() or exists()'],
  ['toLong', 'use toInteger() or toDecimal()'],
  ['trace', 'it writes resource content to a log'],
  ['weight', 'it needs the questionnaire'],
  ...[
    ...['dateOf', 'dayOf', 'hourOf', 'millisecondOf', 'minuteOf', 'monthOf', 'secondOf', 'timeOf'],
    ...['timezoneOffsetOf', 'yearOf'],
  ].map((name): [string, string] => [name, 'compare with a date, for example >= @2026-01']),
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
  ['<', 'values'],
  ['<=', 'values'],
  ['>', 'values'],
  ['>=', 'values'],
  ['|', 'hashed'],
  ['in', 'values'],
  ['contains', 'values'],
])

/** Functions that go through the strings they are given. */
export const readingFunctions: ReadonlySet<string> = new Set([
  ...['contains', 'convertsToBoolean', 'convertsToDate', 'convertsToDateTime', 'convertsToDecimal'],
  ...['convertsToInteger', 'convertsToQuantity', 'convertsToString', 'convertsToTime', 'decode'],
  ...[
    'encode',
    'escape',
    'indexOf',
    'join',
    'lastIndexOf',
    'lower',
    'matches',
    'matchesFull',
    'replace',
    'split',
    'toBoolean',
    'toChars',
  ],
  ...[
    'toDate',
    'toDateTime',
    'toDecimal',
    'toInteger',
    'toQuantity',
    'toTime',
    'trim',
    'unescape',
    'upper',
  ],
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
  ...[
    'decode',
    'encode',
    'escape',
    'join',
    'lower',
    'replace',
    'substring',
    'unescape',
    'toChars',
    'toString',
    'trim',
    'upper',
    'split',
  ].map((name): [string, string] => [name, 'System.String']),
  ...['count', 'indexOf', 'lastIndexOf', 'length', 'toInteger'].map((name): [string, string] => [
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
