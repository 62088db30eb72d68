/** As many as Aidbox keeps. */
export const maxErrors = 5

/** SQL expression: the jsonb list `column` of `{message, timestamp}`, newest first, with one more error. A message that is there already
 *  comes to the front with its new timestamp; the five newest are kept. `message` and `timestamp` are SQL expressions. */
export function prependError(column: string, message: string, timestamp: string): string {
  return `jsonb_path_query_array(
    jsonb_build_array(jsonb_build_object('message', ${message}, 'timestamp', ${timestamp})) ||
      jsonb_path_query_array(${column}, '$[*] ? (@.message != $message)', jsonb_build_object('message', ${message})),
    '$[0 to ${maxErrors - 1}]')`
}

/** SQL expression: the newest of the errors in the jsonb list `list`, each message once. */
export function newestErrors(list: string): string {
  return `(select coalesce(jsonb_agg(jsonb_build_object('message', message, 'timestamp', at) order by at desc), '[]')
       from (select e->>'message' as message, max((e->>'timestamp')::timestamptz) as at
               from jsonb_array_elements(${list}) e group by 1 order by at desc limit ${maxErrors}) newest)`
}
