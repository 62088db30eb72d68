import { getResourceTypes } from '@medplum/core'
import { badRequestError } from '../../rest/outcomes.ts'
import { isId } from '../../rest/resource-id.ts'
import { compiledParameters, type CompiledParameter } from './compiled-parameters.ts'
import { dateCondition, updatedCondition } from './date-conditions.ts'
import { shown, splitUnescaped, unescape, type Criterion } from '../../rest/search/parse-search.ts'
import { searchTermTable } from './search-index.ts'
import type { SqlValues } from '../../rest/search/sql-values.ts'
import { foldText, indexable, splitCanonical } from './term-values.ts'

export interface ConditionContext {
  readonly resourceType: string
  readonly values: SqlValues
  /** References to it are references to this server. */
  readonly baseUrl: string
  readonly nowMs: number
}

/** SQL that holds for the resources `r` which fulfil a criterion; its values are alternatives.
 *  @throws OperationOutcomeError `bad-request` that names the parameter */
export function conditionOf(criterion: Criterion, context: ConditionContext): string {
  const parameter = parameterOf(context.resourceType, criterion.name)
  const { modifier } = criterion
  if (modifier === 'missing') return missingCondition(parameter, criterion.value, context)
  const values = splitUnescaped(criterion.value, ',')
  if (values.includes('')) throw badRequestError(`${parameter.code} has no value.`, 'value')
  if (parameter.column === 'id') return idCondition(parameter, modifier, values, context)
  if (parameter.column === 'last_updated') {
    requireModifier(parameter, modifier, [])
    return anyOf(values.map((value) => updatedCondition(parameter.code, value, context)))
  }
  return termCondition(parameter, modifier, values, context)
}

/** @throws OperationOutcomeError `bad-request` when the type has no such parameter, or none that can be answered */
export function parameterOf(resourceType: string, name: string): CompiledParameter {
  const parameter = compiledParameters(resourceType).get(name)
  if (parameter) return parameter
  throw badRequestError(
    `${resourceType} has no search parameter ${shown(name)} that this server supports.`,
    'not-supported',
  )
}

/** Where the terms of a parameter are: of the resource `r` when it is correlated. */
export function termsOf(
  { code }: CompiledParameter,
  { values, resourceType }: ConditionContext,
): string {
  return `${searchTermTable} t where t.type = ${values.add(resourceType)} and t.parameter = ${values.add(code)}`
}

function missingCondition(
  parameter: CompiledParameter,
  value: string,
  context: ConditionContext,
): string {
  if (value !== 'true' && value !== 'false') {
    throw badRequestError(`${parameter.code}:missing must be true or false.`, 'value')
  }
  // Every resource has an id and was updated once.
  if (parameter.column !== undefined) return value === 'true' ? 'false' : 'true'
  const terms = `exists (select 1 from ${termsOf(parameter, context)} and t.id = r.id)`
  return value === 'true' ? `not ${terms}` : terms
}

function idCondition(
  parameter: CompiledParameter,
  modifier: string,
  values: readonly string[],
  context: ConditionContext,
): string {
  requireModifier(parameter, modifier, ['not'])
  const ids = context.values.add(values.map((value) => unescape(value).replace(/^\|/, '')))
  return `${modifier === 'not' ? 'not ' : ''}r.id = any(${ids}::text[])`
}

function termCondition(
  parameter: CompiledParameter,
  modifier: string,
  values: readonly string[],
  context: ConditionContext,
): string {
  const terms = termsOf(parameter, context)
  const condition = anyOf(values.map((value) => compareTerm(parameter, modifier, value, context)))
  return modifier === 'not'
    ? `not exists (select 1 from ${terms} and t.id = r.id and ${condition})`
    : `r.id in (select t.id from ${terms} and ${condition})`
}

function compareTerm(
  parameter: CompiledParameter,
  modifier: string,
  value: string,
  context: ConditionContext,
): string {
  switch (parameter.type) {
    case 'token':
      requireModifier(parameter, modifier, ['not'])
      return tokenCondition(parameter, value, context)
    case 'string':
      requireModifier(parameter, modifier, ['exact', 'contains'])
      return stringCondition(modifier, unescape(value), context)
    case 'uri':
      requireModifier(parameter, modifier, ['below'])
      return uriCondition(modifier, unescape(value), context)
    case 'reference':
      return referenceCondition(parameter, modifier, unescape(value), context)
    case 'date':
      requireModifier(parameter, modifier, [])
      return dateCondition(parameter.code, value, context)
  }
}

function requireModifier(
  { code }: CompiledParameter,
  modifier: string,
  known: readonly string[],
): void {
  if (modifier === '' || known.includes(modifier)) return
  throw badRequestError(
    `The modifier ${shown(modifier)} of ${code} is not supported.`,
    'not-supported',
  )
}

function tokenCondition(
  parameter: CompiledParameter,
  text: string,
  { values }: ConditionContext,
): string {
  const parts = splitUnescaped(text, '|').map(unescape)
  const hasSystem = parts.length > 1
  const [system, code] = hasSystem ? [parts[0] ?? '', parts.slice(1).join('|')] : ['', parts[0]]
  const isSystem = () =>
    system === '' ? 't.qualifier is null' : `t.qualifier = ${values.add(system)}`
  if (code === '' && parameter.hasSystem) return `(t.value is not null and ${isSystem()})`
  const wanted = indexable(code ?? '')
  const isCode = `t.value = ${values.add(parameter.isCaseSensitive ? wanted : wanted.toLowerCase())}`
  return hasSystem && parameter.hasSystem ? `(${isCode} and ${isSystem()})` : isCode
}

function stringCondition(modifier: string, text: string, { values }: ConditionContext): string {
  const folded = foldText(text)
  if (modifier === 'exact') {
    return `(t.value = ${values.add(folded)} and t.qualifier = ${values.add(text)})`
  }
  return startsWith(modifier === 'contains' ? `%${escapeLike(folded)}` : escapeLike(folded), values)
}

function uriCondition(modifier: string, text: string, { values }: ConditionContext): string {
  const [url, version] = splitCanonical(text)
  if (modifier !== 'below') return canonicalCondition(text, url, version, values)
  const parent = text.replace(/\/$/, '')
  return `(t.value = ${values.add(indexable(parent))} or ${startsWith(`${escapeLike(parent)}/`, values)})`
}

/** A canonical without version matches every version. */
function canonicalCondition(
  text: string,
  url: string,
  version: string | null,
  values: SqlValues,
): string {
  const isText = `t.value = ${values.add(indexable(text))}`
  if (version === null) return isText
  return `(${isText} or (t.value = ${values.add(indexable(url))} and t.qualifier = ${values.add(version)}))`
}

function startsWith(pattern: string, values: SqlValues): string {
  return `t.value like ${values.add(`${pattern}%`)}`
}

function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&')
}

function referenceCondition(
  parameter: CompiledParameter,
  modifier: string,
  text: string,
  { baseUrl, values }: ConditionContext,
): string {
  const types = targetTypes(parameter)
  if (modifier !== '' && !types.includes(modifier)) requireModifier(parameter, modifier, [])
  const own = text.startsWith(`${baseUrl}/`) ? text.slice(baseUrl.length + 1) : text
  const wanted = own.replace(/\/_history\/[^/]+$/, '')
  const isRelative = /^[A-Za-z]+\/[A-Za-z0-9\-.]{1,64}$/.test(wanted)
  if (!isId(wanted) && !isRelative) {
    const [url, version] = splitCanonical(wanted)
    return canonicalCondition(wanted, url, version, values)
  }
  const asked = isRelative ? [wanted] : types.map((type) => `${type}/${wanted}`)
  const references =
    modifier === '' ? asked : asked.filter((reference) => reference.startsWith(`${modifier}/`))
  // A client may have stored the absolute URL of the same resource.
  const candidates = references.flatMap((reference) => [reference, `${baseUrl}/${reference}`])
  return `t.value = any(${values.add(candidates)}::text[])`
}

function targetTypes({ targets }: CompiledParameter): readonly string[] {
  return targets.length === 0 || targets.includes('Resource') ? getResourceTypes() : targets
}

function anyOf(conditions: readonly string[]): string {
  return conditions.length === 1 ? (conditions[0] ?? '') : `(${conditions.join(' or ')})`
}
