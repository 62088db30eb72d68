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
  /** Root of what is evaluated; where it fails on nothing already, the part before. */
  readonly tree: AstNode
  /** For one evaluation. */
  fuel(): Fuel
  /** Items as fhirpath.js has them, in its wrappers.
   *  @throws FuelError; what fhirpath.js throws, which may be a bare string */
  evaluate(change: Change, references: References, fuel: Fuel): readonly unknown[]
}

export interface ExpressionOptions {
  /** Of FHIR's types. Default: R4. */
  readonly model?: Model
  /** After each node of the tree, with its result. */
  readonly onNode?: ((node: AstNode, result: unknown) => void) | undefined
}

/** @param text that {@link checkSyntax} found nothing wrong with */
export function compileExpression(
  text: string,
  { model = r4, onNode }: ExpressionOptions = {},
): Expression {
  // No more options: with `async` or a server's url fhirpath.js would use the network.
  const run = compile(text, model, { resolveInternalTypes: false }) as (
    resource: unknown,
    variables: object,
    options: object,
  ) => readonly unknown[]
  // Only dates are added to, and nothing else warns.
  const warns = /[+-]/.test(text)
  let current: Evaluation | undefined
  let known: Shape | undefined
  const underWay = (): Evaluation => {
    if (!current) throw new Error('no evaluation is under way')
    return current
  }
  const options = {
    debugger: (_context: unknown, ...[focus, result, node]: Parameters<Fuel['spend']>) => {
      underWay().fuel.spend(focus, result, node)
      // Not of the evaluation that the shape is read from.
      if (known) onNode?.(node, result)
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
  const shape = (): Shape => (known ??= shapeOf(evaluate))
  return {
    get tree() {
      return shape().tree
    },
    fuel: () => new Fuel(shape().compared),
    evaluate,
  }
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

/** A create: there is no version before it, which is known. */
export const nothing: Change = { interaction: 'create', resourceType: '', id: '' }

interface Shape {
  readonly tree: AstNode
  readonly compared: ComparedNodes
}

/** fhirpath.js keeps its tree to itself; its last call of the hook shows the root. */
function shapeOf(evaluate: Expression['evaluate']): Shape {
  let tree: AstNode = { type: 'EntireExpression' }
  const fuel = new Fuel((node) => {
    tree = node
    return everyNodeCompared(node)
  })
  try {
    evaluate(nothing, new References(new Map()), fuel)
    return { tree, compared: comparedNodes(tree) }
  } catch {
    // What has not been seen to its end may have anything in it.
    return { tree, compared: everyNodeCompared }
  }
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
