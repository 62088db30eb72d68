import { badRequestError } from '../../rest/outcomes.ts'
import { toDateRange, type DateRange } from '../../rest/search/date-range.ts'
import type { SqlValues } from '../../rest/search/sql-values.ts'

interface DateContext {
  readonly values: SqlValues
  readonly nowMs: number
}

/** Compares the period of the term `t` with the one that the value covers.
 *  https://hl7.org/fhir/R4/search.html#prefix */
export function dateCondition(
  parameter: string,
  value: string,
  { values, nowMs }: DateContext,
): string {
  const { prefix, low, high } = parseDateValue(parameter, value)
  const within = () => `(t.low >= ${values.add(low)} and t.high <= ${values.add(high)})`
  // The index holds the terms that have a `low`; PostgreSQL has to see that only those are asked for.
  switch (prefix) {
    case 'eq':
      return within()
    case 'ne':
      return `(t.low is not null and not ${within()})`
    case 'gt':
      return `(t.low is not null and t.high > ${values.add(high)})`
    case 'lt':
      return `t.low < ${values.add(low)}`
    case 'ge':
      return `(t.low is not null and (t.high > ${values.add(high)} or ${within()}))`
    case 'le':
      return `(t.low < ${values.add(low)} or ${within()})`
    case 'sa':
      return `t.low >= ${values.add(high)}`
    case 'eb':
      return `(t.low is not null and t.high <= ${values.add(low)})`
    case 'ap': {
      const margin = Math.round(Math.abs(nowMs - low) / 10)
      return `(t.low < ${values.add(high + margin)} and t.high > ${values.add(low - margin)})`
    }
  }
}

/** The same for the instant at which the resource `r` was updated. */
export function updatedCondition(
  parameter: string,
  value: string,
  { values, nowMs }: DateContext,
): string {
  const range = parseDateValue(parameter, value)
  const low = () => `r.last_updated >= ${values.add(toTimestamp(range.low))}::timestamptz`
  const high = () => `r.last_updated < ${values.add(toTimestamp(range.high))}::timestamptz`
  switch (range.prefix) {
    case 'eq':
      return `(${low()} and ${high()})`
    case 'ne':
      return `not (${low()} and ${high()})`
    case 'gt':
    case 'sa':
      return `not ${high()}`
    case 'lt':
    case 'eb':
      return `not ${low()}`
    case 'ge':
      return low()
    case 'le':
      return high()
    case 'ap': {
      const margin = Math.round(Math.abs(nowMs - range.low) / 10)
      const [from, to] = [toTimestamp(range.low - margin), toTimestamp(range.high + margin)]
      return `(r.last_updated >= ${values.add(from)}::timestamptz and r.last_updated < ${values.add(to)}::timestamptz)`
    }
  }
}

const prefixes = ['eq', 'ne', 'gt', 'lt', 'ge', 'le', 'sa', 'eb', 'ap'] as const
type Prefix = (typeof prefixes)[number]

function parseDateValue(parameter: string, value: string): DateRange & { prefix: Prefix } {
  const prefix = prefixes.find((known) => value.startsWith(known))
  const range = toDateRange(prefix === undefined ? value : value.slice(2))
  if (!range) throw badRequestError(`${parameter} has a value that is no date.`, 'value')
  return { ...range, prefix: prefix ?? 'eq' }
}

// PostgreSQL reads the years 0001 to 9999 in the form that toISOString writes.
const [earliestMs, latestMs] = [
  Date.parse('0001-01-01T00:00:00Z'),
  Date.parse('9999-12-31T23:59:59.999Z'),
]

function toTimestamp(ms: number): string {
  return new Date(Math.min(Math.max(ms, earliestMs), latestMs)).toISOString()
}
