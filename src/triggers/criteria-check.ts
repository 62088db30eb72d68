import {
  allNodes,
  FhirPathSyntaxError,
  functionCall,
  parseFhirPath,
  positionOf,
  stringLiteral,
  unwrap,
  variableName,
  type AstNode,
  type FunctionCall,
  type Position,
} from './fhirpath-ast.ts'
import { closestName } from './closest-name.ts'
import {
  criteriaLimits,
  criteriaVariables,
  functionArities,
  loopFunctions,
  refusedFunctions,
} from './criteria-language.ts'
import { isFhirType } from './element-model.ts'
import { compilePattern } from './linear-regex.ts'

export interface CriteriaIssue {
  readonly severity: 'error' | 'warning'
  /** One sentence that says what to write instead. */
  readonly message: string
  readonly position: Position | undefined
}

export interface CheckedSyntax {
  /** Absent when the text is not FHIRPath. */
  readonly ast: AstNode | undefined
  readonly issues: readonly CriteriaIssue[]
}

/** Collects issues while a tree is walked. */
export class IssueList {
  readonly issues: CriteriaIssue[] = []

  error(message: string, node?: AstNode): void {
    this.#add('error', message, node)
  }

  warn(message: string, node?: AstNode): void {
    this.#add('warning', message, node)
  }

  #add(severity: CriteriaIssue['severity'], message: string, node: AstNode | undefined): void {
    this.issues.push({ severity, message, position: node && positionOf(node) })
  }
}

/** Whether a criteria is FHIRPath and may be run: functions, arguments, variables, types, patterns, size.
 *  Says nothing about the elements it names. */
export function checkSyntax(text: string): CheckedSyntax {
  const list = new IssueList()
  if (text.length > criteriaLimits.maxChars) {
    list.error(
      `A criteria has at most ${criteriaLimits.maxChars} characters, this one has ${text.length}; split it into several triggers.`,
    )
    return { ast: undefined, issues: list.issues }
  }
  // Before parsing, which takes the square of them.
  if (tokenCount(text) > criteriaLimits.maxNodes) {
    list.error(tooManyParts)
    return { ast: undefined, issues: list.issues }
  }
  const ast = parseInto(text, list)
  if (ast) checkNodes(ast, list)
  return { ast, issues: list.issues }
}

const tooManyParts = `The expression has more than ${criteriaLimits.maxNodes} parts; split it into several triggers.`

/** Words, literals and signs of a text, of which each makes at least one node of the tree. */
function tokenCount(text: string): number {
  const tokens =
    /\s+|\/\/.*|\/\*[^]*?\*\/|('(?:\\[^]|[^'\\])*'|`(?:\\[^]|[^`\\])*`|@[\dT:.Z+-]*|\d[\d.]*|\w+|[<>!]=|!~|[^])/g
  let count = 0
  for (const [, token] of text.matchAll(tokens)) if (token !== undefined) count++
  return count
}

function parseInto(text: string, list: IssueList): AstNode | undefined {
  try {
    return parseFhirPath(text)
  } catch (error) {
    if (!(error instanceof FhirPathSyntaxError)) throw error
    list.issues.push({
      severity: 'error',
      message: `This is not FHIRPath: ${error.message}. Correct the text at this place.`,
      position: error.position,
    })
    return undefined
  }
}

function checkNodes(ast: AstNode, list: IssueList): void {
  const nodes = allNodes(ast)
  if (nodes.length > criteriaLimits.maxNodes) {
    list.error(tooManyParts)
    return
  }
  for (const node of nodes) {
    checkVariable(node, list)
    checkType(node, list)
    if (node.type === 'InstanceSelector') {
      list.error('A criteria cannot create objects; compare the elements one by one.', node)
    }
    const call = node.type === 'Functn' ? functionCall(node) : undefined
    if (call) checkCall(call, node, list)
  }
  checkLoops(ast, 0, list)
  // The outermost comes first: it is the last one of the chain.
  const replaces = nodes.filter((node) => node.type === 'Functn' && node.text === 'replace')
  if (replaces.length > criteriaLimits.maxReplaces) {
    list.error(
      `replace() may be used ${criteriaLimits.maxReplaces} times; use matches() instead.`,
      replaces[0],
    )
  }
}

function checkVariable(node: AstNode, list: IssueList): void {
  const name = variableName(node)
  if (name === undefined || criteriaVariables.includes(name)) return
  const closest = closestName(name, criteriaVariables)
  const instead = closest ? `write %${closest}` : 'write %current or %previous'
  list.error(`There is no variable %${name}; ${instead}.`, node)
}

function checkType(node: AstNode, list: IssueList): void {
  if (node.type !== 'TypeSpecifier') return
  const name = (node.text ?? '').replaceAll('`', '')
  if (!isTypeName(name)) {
    list.error(`There is no type ${name}; write a FHIR type such as Quantity or Patient.`, node)
  }
}

const systemTypes: ReadonlySet<string> = new Set([
  ...['Any', 'Boolean', 'Date', 'DateTime', 'Decimal', 'Integer', 'Quantity', 'String', 'Time'],
])

function isTypeName(name: string): boolean {
  const [prefix, rest] = name.includes('.') ? name.split('.', 2) : ['', name]
  if (rest === undefined) return false
  if (prefix === 'System') return systemTypes.has(rest)
  if (prefix === 'FHIR') return isFhirType(rest)
  return prefix === '' && (isFhirType(rest) || systemTypes.has(rest))
}

function checkCall({ name, args }: FunctionCall, node: AstNode, list: IssueList): void {
  const arity = functionArities.get(name)
  if (!arity) {
    list.error(unknownFunction(name), node)
    return
  }
  const [min, max] = arity
  if (args.length < min || args.length > max) {
    const wanted = min === max ? `${min}` : `${min} to ${max}`
    list.error(
      `${name}() takes ${wanted} argument${wanted === '1' ? '' : 's'}, not ${args.length}.`,
      node,
    )
    return
  }
  const [argument] = args
  if ((name === 'matches' || name === 'matchesFull') && argument) {
    checkPattern(name, argument, node, list)
  }
  if ((name === 'is' || name === 'as' || name === 'ofType') && argument) {
    checkTypeArgument(name, argument, list)
  }
}

function unknownFunction(name: string): string {
  const reason = refusedFunctions.get(name)
  if (reason !== undefined) return `${name}() cannot be used in a criteria: ${reason}.`
  const closest = closestName(name, functionArities.keys())
  const instead = closest ? `write ${closest}()` : 'see the list of functions in the documentation'
  return `There is no function ${name}(); ${instead}.`
}

function checkPattern(name: string, argument: AstNode, node: AstNode, list: IssueList): void {
  const pattern = stringLiteral(argument)
  if (pattern === undefined) {
    list.error(`${name}() needs its pattern as a literal, for example ${name}('^A.*').`, node)
    return
  }
  const fault = compilePattern(pattern).fault
  if (fault !== undefined) {
    list.error(
      `The pattern of ${name}() cannot be used (${fault}); write it in RE2 syntax, without look-around and back-references.`,
      node,
    )
  }
}

/** `ofType(Quantity)` is parsed as a path; the engine reads its text as a type. */
function checkTypeArgument(name: string, argument: AstNode, list: IssueList): void {
  const node = unwrap(argument)
  const parts = node.type === 'InvocationExpression' ? (node.children ?? []) : [node]
  const typeName = parts.map((part) => (unwrap(part).text ?? '').replaceAll('`', '')).join('.')
  if (!isTypeName(typeName)) {
    list.error(
      `There is no type ${typeName}; write a FHIR type, for example ${name}(Quantity).`,
      node,
    )
  }
}

function checkLoops(node: AstNode, depth: number, list: IssueList): void {
  const call = node.type === 'Functn' ? functionCall(node) : undefined
  const isLoop = call !== undefined && loopFunctions.has(call.name) && call.args.length > 0
  if (isLoop && depth === criteriaLimits.maxNestedLoops) {
    list.error(
      `${call.name}() is more than ${criteriaLimits.maxNestedLoops} deep inside other where, select, all or exists; write a path instead of the inner ones.`,
      node,
    )
    return
  }
  for (const child of node.children ?? []) checkLoops(child, isLoop ? depth + 1 : depth, list)
}
