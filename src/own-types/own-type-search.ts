import type { SearchRequest, SortRule } from '@medplum/core'
import type { Bundle } from '@medplum/fhirtypes'
import type { FhirResource, ResourceTypeDefinition, SqlTx } from '../host/types.ts'
import { badRequestError } from '../rest/outcomes.ts'
import {
  criteriaOf,
  shown,
  splitUnescaped,
  unescape,
  type Criterion,
} from '../rest/search/parse-search.ts'
import { assertValueCount, readSearchset, type SearchOptions } from '../rest/search/searchset.ts'
import { SqlValues } from '../rest/search/sql-values.ts'

/** Where the value of a parameter is found: SQL over the row `r`. */
interface OwnParameter {
  readonly sql: (values: SqlValues) => string
  /** Whether `system|code` is a way to write the value. */
  readonly isToken: boolean
}

type OwnParameters = ReadonlyMap<string, OwnParameter>

/** Searches among the current resources of one of the module's own types. They are few and hardly ever searched: the rows of the
 *  type are looked at one by one. */
export class OwnTypeSearch {
  readonly #table: string
  readonly #type: string
  readonly #parameters: OwnParameters

  constructor(table: string, definition: ResourceTypeDefinition) {
    this.#table = table
    this.#type = definition.definition.type
    this.#parameters = parametersOf(definition)
  }

  /** @throws OperationOutcomeError `bad-request` that names a parameter which is unknown or not supported */
  async searchset(db: SqlTx, request: SearchRequest, options: SearchOptions): Promise<Bundle> {
    const values = new SqlValues()
    const criteria = criteriaOf(request)
    const sql = {
      table: this.#table,
      where: this.#where(criteria, values),
      order: () => this.#order(request.sortRules ?? [], values),
      values,
    }
    return readSearchset(db, request, criteria, sql, options)
  }

  /** As stored, at most `count`.
   *  @throws OperationOutcomeError as `searchset` */
  async find(db: SqlTx, request: SearchRequest): Promise<FhirResource[]> {
    const values = new SqlValues()
    const where = this.#where(criteriaOf(request), values)
    const limit = values.add(request.count ?? null)
    const { rows } = await db.query<{ readonly content: FhirResource }>(
      `select r.content from ${this.#table} r where ${where} order by r.id limit ${limit}`,
      values.all,
    )
    return rows.map(({ content }) => content)
  }

  #where(criteria: readonly Criterion[], values: SqlValues): string {
    assertValueCount(criteria)
    const ofType = `r.type = ${values.add(this.#type)} and not r.deleted`
    const conditions = criteria.map(({ name, modifier, value }) => {
      if (modifier !== '') {
        const text = `The modifier ${shown(modifier)} of ${shown(name)} is not supported.`
        throw badRequestError(text, 'not-supported')
      }
      const { sql, isToken } = this.#parameter(name)
      const alternatives = splitUnescaped(value, ',').map((alternative) =>
        // No code of ours has a system that could be compared.
        unescape(isToken ? (splitUnescaped(alternative, '|').at(-1) ?? '') : alternative),
      )
      if (alternatives.includes('')) throw badRequestError(`${name} has no value.`, 'value')
      return `${sql(values)} = any(${values.add(alternatives)}::text[])`
    })
    return [ofType, ...conditions].join(' and ')
  }

  #order(rules: readonly SortRule[], values: SqlValues): string {
    const keys = rules.map(({ code, descending = false }) => {
      const sql = code === '_lastUpdated' ? 'r.last_updated' : this.#parameter(code).sql(values)
      return `${sql} ${descending ? 'desc' : 'asc'} nulls last`
    })
    // The id comes last, so that pages never overlap.
    return [...keys, 'r.id'].join(', ')
  }

  #parameter(name: string): OwnParameter {
    const parameter = this.#parameters.get(name)
    if (parameter) return parameter
    throw badRequestError(`${this.#type} has no search parameter ${shown(name)}.`, 'not-supported')
  }
}

/** `_id` and the parameters of the type, which all are of one element: `AidboxTopicDestination.topic`. */
function parametersOf({ definition, searchParameters }: ResourceTypeDefinition): OwnParameters {
  const own = searchParameters.map(({ code, type, expression = '' }) => {
    const [typeName, element, ...deeper] = expression.split('.')
    if (typeName !== definition.type || element === undefined || deeper.length > 0) {
      throw new TypeError(`The search parameter ${code} is not of one element of its type.`)
    }
    const sql = (values: SqlValues): string => `r.content ->> ${values.add(element)}::text`
    return [code, { sql, isToken: type === 'token' }] as const
  })
  return new Map<string, OwnParameter>([['_id', { sql: () => 'r.id', isToken: true }], ...own])
}
