import { compile, type Model } from 'fhirpath'
import r4 from 'fhirpath/fhir-context/r4'
import type { Change } from '../host/types.ts'
import { criteriaFunctions, type Evaluation } from './criteria-functions.ts'
import type { AstNode } from './fhirpath-ast.ts'
import { comparedNodes, everyNodeCompared, Fuel, type ComparedNodes } from './fuel.ts'
import { sourceOf } from './guards.ts'
import { References } from './references.ts'

/** One FHIRPath expression, bounded by {@link Fuel}: synchronous, R4 model, regular expressions in linear time, no I/O. */
export interface Expression {
  /** For one evaluation. */
  fuel(): Fuel
  /** Items as fhirpath.js has them, in its wrappers.
   *  @throws FuelError; what fhirpath.js throws, which may be a bare string */
  evaluate(change: Change, references: References, fuel: Fuel): readonly unknown[]
}

/** @param text that {@link checkSyntax} found nothing wrong with
 *  @param model of FHIR's types, default: R4 */
export function compileExpression(text: string, model: Model = r4): Expression {
  // No more options: with `async` or a server's url fhirpath.js would use the network.
  const run = compile(text, model, { resolveInternalTypes: false }) as (
    resource: unknown,
    variables: object,
    options: object,
  ) => readonly unknown[]
  // Only dates are added to, and nothing else warns.
  const warns = /[+-]/.test(text)
  let current: Evaluation | undefined
  const underWay = (): Evaluation => {
    if (!current) throw new Error('no evaluation is under way')
    return current
  }
  const options = {
    debugger: (_context: unknown, ...[focus, result, node]: Parameters<Fuel['spend']>) => {
      underWay().fuel.spend(focus, result, node)
    },
    userInvocationTable: criteriaFunctions(underWay),
  }
  const evaluate: Expression['evaluate'] = (change, references, fuel) => {
    const variables = variablesOf(change)
    current = { fuel, references }
    try {
      return warns
        ? silently(() => run(variables.current, variables, options))
        : run(variables.current, variables, options)
    } finally {
      current = undefined
    }
  }
  let compared: ComparedNodes | undefined
  return { fuel: () => new Fuel((compared ??= comparedIn(evaluate))), evaluate }
}

/** fhirpath.js warns on the console when it cuts the fraction of a duration off, and quotes the date, which may be a patient's. */
function silently<Result>(run: () => Result): Result {
  const output: Pick<Console, 'warn'> = globalThis.console
  const { warn } = output
  output.warn = () => undefined
  try {
    return run()
  } finally {
    output.warn = warn
  }
}

export const nothing: Change = { interaction: 'update', resourceType: '', id: '' }

/** fhirpath.js keeps its tree to itself; its last call of the hook shows the root. */
function comparedIn(evaluate: Expression['evaluate']): ComparedNodes {
  let root: AstNode | undefined
  const fuel = new Fuel((node) => {
    root = node
    return everyNodeCompared(node)
  })
  try {
    evaluate(nothing, new References(new Map()), fuel)
  } catch {
    // What has not been seen to its end may have anything in it.
    return everyNodeCompared
  }
  return root ? comparedNodes(root) : everyNodeCompared
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
