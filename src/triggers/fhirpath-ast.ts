import { parse } from 'fhirpath'

/** A node of fhirpath.js's syntax tree. Only what is read here; wrapper nodes have no position. */
export interface AstNode {
  readonly type: string
  readonly text?: string
  readonly delimitedText?: string
  /** Both count from 1. */
  readonly start?: Position
  readonly children?: readonly AstNode[]
}

export interface Position {
  readonly line: number
  readonly column: number
}

/** Text that is not FHIRPath. */
export class FhirPathSyntaxError extends Error {
  override readonly name = 'FhirPathSyntaxError'
  readonly position: Position | undefined

  constructor(message: string, position: Position | undefined) {
    super(message)
    this.position = position
  }
}

/** @throws {@link FhirPathSyntaxError} with the position of the first fault. */
export function parseFhirPath(text: string): AstNode {
  try {
    return parse(text) as AstNode
  } catch (error) {
    throw syntaxError(error)
  }
}

function syntaxError(error: unknown): FhirPathSyntaxError {
  // fhirpath.js hangs ANTLR's [recognizer, symbol, line, column, message] on its error; its columns count from 0.
  const [first] = (error as { errors?: [unknown, unknown, number, number, string][] }).errors ?? []
  if (!first) return new FhirPathSyntaxError('nested too deeply to be parsed', undefined)
  const [, , line, column, message] = first
  const short = message
    .replace(/ expecting \{.*$/s, '')
    .replaceAll("'<EOF>'", 'the end of the text')
  return new FhirPathSyntaxError(short, { line, column: column + 1 })
}

const wrappers: ReadonlySet<string> = new Set([
  'EntireExpression',
  'InvocationTerm',
  'LiteralTerm',
  'ParenthesizedTerm',
  'TermExpression',
])

/** The node itself without the wrappers (parentheses among them) around it. */
export function unwrap(node: AstNode): AstNode {
  const [only, ...others] = node.children ?? []
  return only && others.length === 0 && wrappers.has(node.type) ? unwrap(only) : node
}

export interface FunctionCall {
  readonly name: string
  readonly args: readonly AstNode[]
}

/** Name and arguments of a FunctionInvocation or Functn. */
export function functionCall(node: AstNode): FunctionCall | undefined {
  const call = node.type === 'FunctionInvocation' ? node.children?.[0] : node
  if (call?.type !== 'Functn') return undefined
  const params = call.children?.find(({ type }) => type === 'ParamList')
  return { name: withoutDelimiters(call.text ?? ''), args: params?.children ?? [] }
}

/** Name of a MemberInvocation, with or without backquotes in the text. */
export function memberName(node: AstNode): string | undefined {
  return node.type === 'MemberInvocation' ? withoutDelimiters(node.text ?? '') : undefined
}

/** Name of a variable, without `%`. */
export function variableName(node: AstNode): string | undefined {
  if (node.type !== 'ExternalConstantTerm') return undefined
  return withoutDelimiters(node.delimitedText ?? node.text ?? '')
}

/** Value of a string literal, also in parentheses. */
export function stringLiteral(node: AstNode): string | undefined {
  const { type, text } = unwrap(node)
  return type === 'StringLiteral' && text !== undefined ? unescape(text.slice(1, -1)) : undefined
}

/** Value of a number literal with or without a sign, also in parentheses. */
export function numberLiteral(node: AstNode): number | undefined {
  const { type, text = '', children: [only] = [] } = unwrap(node)
  if (type === 'NumberLiteral') return Number(text)
  if (type !== 'PolarityExpression' || !only) return undefined
  const number = numberLiteral(only)
  return text === '-' && number !== undefined ? -number : number
}

/** Where the node, or the first part of it that has a position, begins. */
export function positionOf(node: AstNode): Position | undefined {
  if (node.start) return node.start
  for (const child of node.children ?? []) {
    const position = positionOf(child)
    if (position) return position
  }
  return undefined
}

/** Every node of the tree. Not recursive: thousands of parentheses must not end the stack. */
export function allNodes(root: AstNode): AstNode[] {
  const nodes = [root]
  for (const node of nodes) for (const child of node.children ?? []) nodes.push(child)
  return nodes
}

function withoutDelimiters(text: string): string {
  return /^([`']).*\1$/s.test(text) && text.length > 1 ? unescape(text.slice(1, -1)) : text
}

const escapes: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', f: '\f' }

/** As fhirpath.js does: a backslash before a line break stays. */
function unescape(text: string): string {
  return text.replace(/\\(u[0-9a-fA-F]{4}|.)/g, (_match, escaped: string) =>
    escaped.length > 1
      ? String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
      : (escapes[escaped] ?? escaped),
  )
}
