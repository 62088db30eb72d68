import type { OperationOutcomeIssue } from '@medplum/fhirtypes'
import { interactions, type FhirResource, type Interaction } from '../host/types.ts'
import { destinationTypeName, topicTypeName } from '../resources/type-names.ts'
import { closestName } from './closest-name.ts'
import { checkSyntax, IssueList, type CriteriaIssue } from './criteria-check.ts'
import { dryRun } from './criteria-engine.ts'
import { criteriaLimits } from './criteria-language.ts'
import { ElementCheck } from './element-check.ts'
import { anyType, isResourceType, resourceTypeNames } from './element-model.ts'
import { allNodes, memberName, unwrap, variableName, type AstNode } from './fhirpath-ast.ts'
import { triggerResourceType, typeUrlPrefix } from './subscription-topic.ts'

export interface TriggerCheckOptions {
  /** Whether an element name that R4 does not know refuses the topic. `warn` suits servers with elements of their own.
   *  @default 'error' */
  readonly criteriaElementCheck?: 'error' | 'warn'
}

/** Faults and warnings of the triggers of an AidboxSubscriptionTopic that a client wants to write.
 *
 *  Issues of severity `error` must refuse the write. `details.text` says what to write instead, `diagnostics` where in the text
 *  (line and column count from 1). What is not a list of objects is left to the check of the resource's structure. */
export function checkTopicTriggers(
  resource: FhirResource,
  options: TriggerCheckOptions = {},
): OperationOutcomeIssue[] {
  const { trigger } = resource
  const triggers: unknown[] = Array.isArray(trigger) ? trigger : []
  const chars = triggers.reduce<number>((sum, each) => sum + criteriaOf(each).length, 0)
  if (chars > criteriaLimits.maxTopicChars) {
    const message = `The criteria of one topic have at most ${criteriaLimits.maxTopicChars} characters together, these have ${chars}; split the topic.`
    return [
      outcomeIssue(
        { severity: 'error', message, position: undefined },
        'AidboxSubscriptionTopic.trigger',
      ),
    ]
  }
  return triggers.flatMap((each, i) => {
    if (typeof each !== 'object' || each === null) return []
    const path = `AidboxSubscriptionTopic.trigger[${i}]`
    const fields = each as Readonly<Record<string, unknown>>
    return [
      ...checkResource(fields['resource'], `${path}.resource`),
      ...checkCriteria(fields, `${path}.fhirPathCriteria`, options),
    ]
  })
}

function criteriaOf(trigger: unknown): string {
  if (typeof trigger !== 'object' || trigger === null) return ''
  const { fhirPathCriteria } = trigger as Readonly<Record<string, unknown>>
  return typeof fhirPathCriteria === 'string' ? fhirPathCriteria : ''
}

function checkResource(value: unknown, path: string): OperationOutcomeIssue[] {
  if (typeof value !== 'string') return []
  const name = triggerResourceType(value)
  const list = new IssueList()
  if (value.endsWith('*') || !/^([A-Z][A-Za-z0-9]*|\*)$/.test(name)) {
    list.error(
      `'${value.slice(0, 200)}' is not a resource type; write its name such as Patient or ${typeUrlPrefix}Patient, not a profile.`,
    )
  } else if (name === topicTypeName || name === destinationTypeName) {
    list.error(`Changes of ${name} make no events; write another resource type.`)
  } else if (!isKnownResource(name)) {
    const closest = closestName(name, resourceTypeNames())
    const meant = closest ? ` Did you mean ${closest}?` : ''
    list.warn(
      `FHIR R4 has no resource type ${name.slice(0, 200)}, so element names are not checked.${meant}`,
    )
  }
  return list.issues.map((issue) => outcomeIssue(issue, path))
}

function isKnownResource(name: string): boolean {
  return name === '*' || isResourceType(name)
}

function checkCriteria(
  fields: Readonly<Record<string, unknown>>,
  path: string,
  options: TriggerCheckOptions,
): OperationOutcomeIssue[] {
  const { resource, fhirPathCriteria: text, supportedInteraction } = fields
  if (typeof text !== 'string') return []
  const list = new IssueList()
  if (text.trim() === '') {
    list.error('The criteria is empty; leave the element out to let every change fire.')
    return list.issues.map((issue) => outcomeIssue(issue, path))
  }
  const { ast, issues } = checkSyntax(text)
  list.issues.push(...issues)
  // What is too big or unknown to the engine is not looked at further.
  if (ast && !hasError(issues)) {
    const listed: unknown[] = Array.isArray(supportedInteraction) ? supportedInteraction : []
    const type = typeof resource === 'string' ? contextType(resource) : anyType
    checkResult(
      ast,
      new ElementCheck(type, list, options.criteriaElementCheck ?? 'error').run(ast),
      list,
    )
    checkUnions(ast, list)
    checkInteractions(
      ast,
      interactions.filter((each) => listed.includes(each)),
      list,
    )
    const failure = hasError(list.issues) ? undefined : dryRun(text)
    if (failure) {
      list.issues.push({
        severity: 'error',
        message: `It fails even without a resource. ${failure.error} Correct the operands at this place.`,
        position: failure.position,
      })
    }
  }
  return list.issues.map((issue) => outcomeIssue(issue, path))
}

function contextType(resource: string): string {
  const name = triggerResourceType(resource)
  const hasOwnElements = isResourceType(name) && name !== 'Resource' && name !== 'DomainResource'
  return hasOwnElements ? name : anyType
}

function checkResult(ast: AstNode, type: string, list: IssueList): void {
  if (type === anyType || type === 'boolean' || type === 'System.Boolean') return
  list.warn(
    `The result is ${type}, not a boolean; write a comparison or end with exists(), otherwise no change can be decided.`,
    unwrap(ast),
  )
}

/** The FHIR specification's own example has this fault: `(%previous.empty() | (%previous.status != 'x')) and …` fails on the
 *  very update it is meant to catch, because the union is `[false, true]` then. */
function checkUnions(ast: AstNode, list: IssueList): void {
  for (const node of allNodes(ast)) {
    if (node.type !== 'AndExpression' && node.type !== 'OrExpression') continue
    for (const operand of node.children ?? []) {
      const union = unwrap(operand)
      if (union.type !== 'UnionExpression') continue
      list.warn(
        `'|' joins collections and fails under '${node.text ?? ''}' when they differ; write 'or'.`,
        union,
      )
    }
  }
}

function checkInteractions(ast: AstNode, listed: readonly Interaction[], list: IssueList): void {
  const nodes = allNodes(ast)
  const previous = nodes.find((node) => variableName(node) === 'previous')
  if (previous && listed.length === 1 && listed[0] === 'create') {
    list.warn('%previous is always empty on create; add update to supportedInteraction.', previous)
  }
  const bare = listed.includes('delete') && barePath(unwrap(ast))
  if (bare) {
    list.warn(
      `'${memberName(bare) ?? ''}' is empty on delete, where only %previous has a resource; write %previous.${memberName(bare) ?? ''}.`,
      bare,
    )
  }
}

/** A path that begins at the resource itself, not at a variable or an item of a loop. */
function barePath(node: AstNode): AstNode | undefined {
  if (node.type === 'MemberInvocation') return node
  const children = node.children ?? []
  // Right of a dot there is a member or a function of what is left of it.
  const starts = node.type === 'InvocationExpression' ? children.slice(0, 1) : children
  if (node.type === 'Functn' || node.type === 'TypeSpecifier') return undefined
  for (const child of starts) {
    const found = barePath(unwrap(child))
    if (found) return found
  }
  return undefined
}

function hasError(issues: readonly CriteriaIssue[]): boolean {
  return issues.some(({ severity }) => severity === 'error')
}

function outcomeIssue(
  { severity, message, position }: CriteriaIssue,
  path: string,
): OperationOutcomeIssue {
  return {
    severity,
    code: severity === 'error' ? 'invalid' : 'business-rule',
    details: { text: message },
    ...(position && { diagnostics: `line ${position.line}, column ${position.column}` }),
    expression: [path],
  }
}
