import type { SearchRequest } from '@medplum/core'
import type { Bundle, BundleEntry } from '@medplum/fhirtypes'
import type { FhirResource, SqlTx } from '../../host/types.ts'
import { badRequestError } from '../outcomes.ts'
import { asResource } from '../resource-shapes.ts'
import { splitUnescaped, shown, type Criterion } from './parse-search.ts'
import type { SqlValues } from './sql-values.ts'

export interface SearchOptions {
  /** The base URL that the client used: of links and full URLs. */
  readonly clientBaseUrl: string
  readonly toAnswer: (resource: FhirResource) => FhirResource
}

/** A search as SQL over a table of current resources, which is called `r`. */
export interface SearchSql {
  readonly table: string
  readonly where: string
  /** Names the values that it adds after those of `where`. */
  readonly order: () => string
  /** With those of `where`. */
  readonly values: SqlValues
}

const defaultCount = 20
const maxCount = 1000

interface Page {
  readonly count: number
  readonly offset: number
}

/** Answers a searchset of current resources of one type, with the exact total.
 *  @throws OperationOutcomeError `bad-request` when the page cannot be understood */
export async function readSearchset(
  db: SqlTx,
  request: SearchRequest,
  criteria: readonly Criterion[],
  { table, where, order, values }: SearchSql,
  { clientBaseUrl, toAnswer }: SearchOptions,
): Promise<Bundle> {
  const page = pageOf(request)
  const whereValues = [...values.all]
  const orderBy = order()
  const found = page.count === 0 ? [] : await readPage(db, table, where, orderBy, page, values)
  const resources = found.slice(0, page.count)
  // A page that is not full shows the total by itself.
  const isLast = found.length <= page.count && (found.length > 0 || page.offset === 0)
  const total =
    page.count > 0 && isLast
      ? page.offset + found.length
      : await countMatches(db, table, where, whereValues)
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

async function readPage(
  db: SqlTx,
  table: string,
  where: string,
  order: string,
  { count, offset }: Page,
  values: SqlValues,
): Promise<FhirResource[]> {
  const { rows } = await db.query<{ readonly content: FhirResource }>(
    `select r.content
       from ${table} r
      where ${where}
      order by ${order}
      limit ${values.add(count + 1)}
     offset ${values.add(offset)}`,
    values.all,
  )
  return rows.map(({ content }) => content)
}

async function countMatches(
  db: SqlTx,
  table: string,
  where: string,
  values: readonly unknown[],
): Promise<number> {
  const { rows } = await db.query<{ readonly total: string }>(
    `select count(*) as total
       from ${table} r
      where ${where}`,
    values,
  )
  return Number(rows[0]?.total ?? 0)
}

// Of all criteria together: more would be a denial of service, not a question, or more than one statement can hold.
const maxValues = 500

/** @throws OperationOutcomeError `bad-request` that names the parameter which goes beyond the limit */
export function assertValueCount(criteria: readonly Criterion[]): void {
  let valueCount = 0
  for (const { name, value } of criteria) {
    valueCount += splitUnescaped(value, ',').length
    if (valueCount > maxValues) {
      const text = `A search has at most ${maxValues} values; ${shown(name)} goes beyond.`
      throw badRequestError(text, 'too-costly')
    }
  }
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
