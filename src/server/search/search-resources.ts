import type { SearchRequest, SortRule } from '@medplum/core'
import type { Bundle } from '@medplum/fhirtypes'
import type { SqlTx } from '../../host/types.ts'
import { badRequestError } from '../../rest/outcomes.ts'
import { criteriaOf, type Criterion } from '../../rest/search/parse-search.ts'
import { assertValueCount, readSearchset, type SearchOptions } from '../../rest/search/searchset.ts'
import { SqlValues } from '../../rest/search/sql-values.ts'
import { resourceTables } from '../storage/schema.ts'
import { conditionOf, parameterOf, termsOf, type ConditionContext } from './conditions.ts'

/** Answers a searchset of current resources of one type, with the exact total. Index: the primary key (type, id), and those of the
 *  search terms that the criteria name.
 *  @throws OperationOutcomeError `bad-request` that names a parameter which is unknown or not supported */
export async function searchResources(
  db: SqlTx,
  request: SearchRequest,
  options: SearchOptions,
): Promise<Bundle> {
  const { resourceType } = request
  const criteria = criteriaOf(request)
  const values = new SqlValues()
  const baseUrl = options.clientBaseUrl
  const context = { resourceType, values, baseUrl, nowMs: Date.now() }
  const sql = {
    table: resourceTables.current,
    where: whereClause(criteria, context),
    order: () => orderClause(request.sortRules ?? [], context),
    values,
  }
  return readSearchset(db, request, criteria, sql, options)
}

function whereClause(criteria: readonly Criterion[], context: ConditionContext): string {
  assertValueCount(criteria)
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
