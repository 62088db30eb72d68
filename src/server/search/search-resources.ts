import type { SearchRequest, SortRule } from '@medplum/core'
import type { Bundle, BundleEntry } from '@medplum/fhirtypes'
import type { FhirResource, SqlTx } from '../../host/types.ts'
import { badRequestError } from '../http/outcomes.ts'
import { asResource } from '../storage/resource-shapes.ts'
import { resourceTable } from '../storage/schema.ts'
import { conditionOf, parameterOf, termsOf, type ConditionContext } from './conditions.ts'
import { criteriaOf, shown, splitUnescaped, type Criterion } from './parse-search.ts'
import { SqlValues } from './sql-values.ts'

export interface SearchOptions {
  /** The base URL that the client used: of links and full URLs. */
  readonly clientBaseUrl: string
  readonly toAnswer: (resource: FhirResource) => FhirResource
}

const defaultCount = 20
const maxCount = 1000
// Of all criteria together: more would be a denial of service, not a question, or more than one statement can hold.
const maxValues = 500

interface Page {
  readonly count: number
  readonly offset: number
}

/** Answers a searchset of current resources of one type, with the exact total.
 *  @throws OperationOutcomeError `bad-request` that names a parameter which is unknown or not supported */
export async function searchResources(
  db: SqlTx,
  request: SearchRequest,
  { clientBaseUrl, toAnswer }: SearchOptions,
): Promise<Bundle> {
  const { resourceType } = request
  const page = pageOf(request)
  const criteria = criteriaOf(request)
  const values = new SqlValues()
  const context = { resourceType, values, baseUrl: clientBaseUrl, nowMs: Date.now() }
  const where = whereClause(criteria, context)
  const whereValues = [...values.all]
  const order = orderClause(request.sortRules ?? [], context)
  const found = page.count === 0 ? [] : await readPage(db, where, order, page, values)
  const resources = found.slice(0, page.count)
  // A page that is not full shows the total by itself.
  const isLast = found.length <= page.count && (found.length > 0 || page.offset === 0)
  const total =
    page.count > 0 && isLast
      ? page.offset + found.length
      : await countMatches(db, where, whereValues)
  return {
    resourceType: 'Bundle',
    type: 'searchset',
    total,
    link: linksOf(request, criteria, page, total, clientBaseUrl),
    ...(resources.length === 0
      ? {}
      : { entry: resources.map((resource) => entryOf(toAnswer(resource), clientBaseUrl)) }),
  }
}

function pageOf({ count = defaultCount, offset = 0 }: SearchRequest): Page {
  // Core's parser makes NaN of what is no number.
  for (const [name, value] of [
    ['_count', count],
    ['_offset', offset],
  ] as const) {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw badRequestError(`${name} must be a whole number that is not negative.`, 'value')
    }
  }
  return { count: Math.min(count, maxCount), offset }
}

/** Index: the primary key (type, id), and those of the search terms that the criteria name. */
async function readPage(
  db: SqlTx,
  where: string,
  order: string,
  { count, offset }: Page,
  values: SqlValues,
): Promise<FhirResource[]> {
  const { rows } = await db.query<{ readonly content: FhirResource }>(
    `select r.content
       from ${resourceTable} r
      where ${where}
      order by ${order}
      limit ${values.add(count + 1)}
     offset ${values.add(offset)}`,
    values.all,
  )
  return rows.map(({ content }) => content)
}

async function countMatches(db: SqlTx, where: string, values: readonly unknown[]): Promise<number> {
  const { rows } = await db.query<{ readonly total: string }>(
    `select count(*) as total
       from ${resourceTable} r
      where ${where}`,
    values,
  )
  return Number(rows[0]?.total ?? 0)
}

function whereClause(criteria: readonly Criterion[], context: ConditionContext): string {
  let valueCount = 0
  for (const { name, value } of criteria) {
    valueCount += splitUnescaped(value, ',').length
    if (valueCount > maxValues) {
      const text = `A search has at most ${maxValues} values; ${shown(name)} goes beyond.`
      throw badRequestError(text, 'too-costly')
    }
  }
  const ofType = `r.type = ${context.values.add(context.resourceType)} and not r.deleted`
  return [ofType, ...criteria.map((criterion) => conditionOf(criterion, context))].join(' and ')
}

/** The id comes last, so that pages never overlap. */
function orderClause(rules: readonly SortRule[], context: ConditionContext): string {
  const keys = rules.map(({ code, descending = false }) => {
    const parameter = parameterOf(context.resourceType, sortCode(code))
    const direction = descending ? 'desc' : 'asc'
    if (parameter.column !== undefined) return `r.${parameter.column} ${direction}`
    const [least, greatest] = parameter.type === 'date' ? ['low', 'high'] : ['value', 'value']
    const key = descending ? `max(t.${greatest})` : `min(t.${least})`
    const terms = `${termsOf(parameter, context)} and t.id = r.id`
    return `(select ${key} from ${terms}) ${direction} nulls last`
  })
  return [...keys, 'r.id'].join(', ')
}

function sortCode(code: string): string {
  if (code !== '') return code
  throw badRequestError('_sort has an empty name.', 'value')
}

function linksOf(
  { resourceType, sortRules = [] }: SearchRequest,
  criteria: readonly Criterion[],
  { count, offset }: Page,
  total: number,
  baseUrl: string,
): NonNullable<Bundle['link']> {
  const sort = sortRules.map(({ code, descending = false }) => (descending ? '-' : '') + code)
  const fixed = [
    ...criteria.map(({ name, modifier, value }): [string, string] => [
      modifier === '' ? name : `${name}:${modifier}`,
      value,
    ]),
    ...(sort.length === 0 ? [] : [['_sort', sort.join(',')] as const]),
    ['_count', `${count}`] as const,
  ]
  const link = (relation: string, from: number) => {
    const parameters = from === 0 ? fixed : [...fixed, ['_offset', `${from}`] as const]
    const query = parameters.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&')
    return { relation, url: `${baseUrl}/${resourceType}?${query}` }
  }
  const hasNext = count > 0 && offset + count < total
  return [link('self', offset), ...(hasNext ? [link('next', offset + count)] : [])]
}

/** Keeps readable what a query may hold unescaped. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/%(?:3A|2F|2C)/g, decodeURIComponent)
}

function entryOf(resource: FhirResource, baseUrl: string): BundleEntry {
  return {
    fullUrl: `${baseUrl}/${resource.resourceType}/${resource.id ?? ''}`,
    resource: asResource(resource),
    search: { mode: 'match' },
  }
}
