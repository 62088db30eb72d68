/** SQL condition on rows with the time of a change, `at`, and an `error`: those between `fromMs` and `toMs`, milliseconds since 1970, inclusive, whose error has
 *  the text `error` in it, in letters of any case. What is absent does not matter.
 *
 *  @param row alias
 *  @param given SQL: an object with these names */
export function isOfTimeAndError(row: string, given: string): string {
  const value = (name: string): string => `(${given}::jsonb->>'${name}')`
  return `${row}.at >= coalesce(to_timestamp(${value('fromMs')}::float8 / 1000), '-infinity')
    and ${row}.at < coalesce(to_timestamp((${value('toMs')}::float8 + 1) / 1000), 'infinity')
    and (${value('error')} is null or position(lower(${value('error')}) in lower(${row}.error)) > 0)`
}
