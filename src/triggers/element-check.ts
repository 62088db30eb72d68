import { closestName } from './closest-name.ts'
import type { IssueList } from './criteria-check.ts'
import { filterFunctions, resultTypes } from './criteria-language.ts'
import {
  anyType,
  elementNames,
  elementOf,
  isFhirType,
  isPrimitive,
  isResourceType,
  type ElementType,
} from './element-model.ts'
import { functionCall, memberName, unwrap, variableName, type AstNode } from './fhirpath-ast.ts'

/** Types every path of a criteria and reports element names that the resource cannot have. */
export class ElementCheck {
  readonly #resourceType: ElementType
  readonly #list: IssueList
  readonly #severity: 'error' | 'warn'

  /** @param severity Of a name that is not in the R4 model; `warn` suits servers with elements of their own. */
  constructor(resourceType: ElementType, list: IssueList, severity: 'error' | 'warn') {
    this.#resourceType = resourceType
    this.#list = list
    this.#severity = severity
  }

  /** Type of the whole expression; {@link anyType} when it cannot be told. */
  run(ast: AstNode): ElementType {
    return this.#typeOf(ast, this.#resourceType)
  }

  /** `context` is the type of `$this`. */
  #typeOf(wrapped: AstNode, context: ElementType): ElementType {
    const node = unwrap(wrapped)
    const children = node.children ?? []
    const [left, right] = children
    switch (node.type) {
      case 'MemberInvocation':
        return this.#rootMember(node, context)
      case 'FunctionInvocation':
        return this.#call(node, context, context)
      case 'ThisInvocation':
        return context
      case 'ExternalConstantTerm':
        return this.#variable(node)
      case 'InvocationExpression':
        return left && right ? this.#invocation(left, right, context) : anyType
      case 'IndexerExpression':
        if (right) this.#typeOf(right, context)
        return left ? this.#typeOf(left, context) : anyType
      case 'TypeExpression': {
        const subject = left ? this.#typeOf(left, context) : anyType
        if (node.text === 'is') return 'System.Boolean'
        return right ? castType(right) : subject
      }
      default:
        for (const child of children) this.#typeOf(child, context)
        return operatorTypes.get(node.type) ?? anyType
    }
  }

  #invocation(left: AstNode, right: AstNode, context: ElementType): ElementType {
    const subject = this.#typeOf(left, context)
    return right.type === 'MemberInvocation'
      ? this.#member(subject, right)
      : this.#call(right, subject, context)
  }

  #variable(node: AstNode): ElementType {
    const name = variableName(node)
    return name === 'ucum' || name === 'sct' || name === 'loinc'
      ? 'System.String'
      : this.#resourceType
  }

  /** A path may begin with the type of what it is evaluated on: `Patient.name`. */
  #rootMember(node: AstNode, context: ElementType): ElementType {
    const name = memberName(node) ?? ''
    if (context === anyType) return anyType
    const isOwnName = name === context || name === 'Resource' || name === 'DomainResource'
    if (isOwnName) return context
    if (context === this.#resourceType && isResourceType(name)) {
      this.#list.error(
        `'${name}' never matches here: the trigger's resource is ${context}; begin with ${context} or with an element of it.`,
        node,
      )
      return anyType
    }
    if (isFhirType(name) && !elementOf(context, name)) return anyType
    return this.#member(context, node)
  }

  #member(type: ElementType, node: AstNode): ElementType {
    const name = memberName(node) ?? ''
    if (type === anyType || type === 'Resource' || name === 'resourceType') return anyType
    if (isPrimitive(type)) {
      if (name === 'extension') return 'Extension'
      if (name === 'id' || name === 'value') return anyType
    }
    const element = isPrimitive(type) ? undefined : elementOf(type, name)
    if (!element) {
      this.#unknownElement(type, name, node)
      return anyType
    }
    if (element.kind === 'choice') return anyType
    if (element.kind === 'choice-name') {
      this.#list.warn(`Write ${element.write} instead of ${name}.`, node)
    }
    return element.type
  }

  #unknownElement(type: ElementType, name: string, node: AstNode): void {
    const names = isPrimitive(type) ? [] : elementNames(type)
    const closest = closestName(name, names)
    const instead = closest
      ? `write '${closest}'`
      : names.length > 0
        ? `it has ${names
            .filter((known) => !general.has(known))
            .sort()
            .join(', ')}`
        : 'it has a value only'
    const message = `${type} has no element '${name}'; ${instead}.`
    if (this.#severity === 'error') this.#list.error(message, node)
    else this.#list.warn(message, node)
  }

  #call(node: AstNode, subject: ElementType, context: ElementType): ElementType {
    const { name, args } = functionCall(node) ?? { name: '', args: [] }
    const [first, second, third] = args
    if (name === 'is' || name === 'as' || name === 'ofType') {
      if (name === 'is') return 'System.Boolean'
      return first ? castType(first) : subject
    }
    if (name === 'iif') {
      if (first) this.#typeOf(first, subject)
      const whenTrue = second ? this.#typeOf(second, subject) : anyType
      const whenFalse = third ? this.#typeOf(third, subject) : whenTrue
      return whenTrue === whenFalse ? whenTrue : anyType
    }
    const isLoop = name === 'where' || name === 'all' || name === 'exists' || name === 'select'
    const types = args.map((argument) => this.#typeOf(argument, isLoop ? subject : context))
    if (name === 'select') return types[0] ?? anyType
    if (filterFunctions.has(name)) return subject
    return resultTypes.get(name) ?? anyType
  }
}

const general: ReadonlySet<string> = new Set([
  ...['contained', 'extension', 'id', 'implicitRules', 'language', 'meta', 'modifierExtension'],
  'text',
])

const operatorTypes: ReadonlyMap<string, ElementType> = new Map([
  ['AndExpression', 'System.Boolean'],
  ['BooleanLiteral', 'System.Boolean'],
  ['DateLiteral', 'System.Date'],
  ['DateTimeLiteral', 'System.DateTime'],
  ['EqualityExpression', 'System.Boolean'],
  ['ImpliesExpression', 'System.Boolean'],
  ['InequalityExpression', 'System.Boolean'],
  ['MembershipExpression', 'System.Boolean'],
  ['NumberLiteral', 'System.Decimal'],
  ['OrExpression', 'System.Boolean'],
  ['QuantityLiteral', 'System.Quantity'],
  ['StringLiteral', 'System.String'],
])

function castType(specifier: AstNode): ElementType {
  const name = (unwrap(specifier).text ?? '').replaceAll('`', '')
  return isFhirType(name) ? name : anyType
}
