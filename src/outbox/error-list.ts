const maxErrors = 5

/** SQL expression: the jsonb list `column` of `{message, timestamp}`, newest first, with one more error. The same message again only
 *  renews its timestamp; the five newest are kept. `message` and `timestamp` are SQL expressions. */
export function prependError(column: string, message: string, timestamp: string): string {
  return `case when ${column}->0->>'message' = ${message}
       then jsonb_set(${column}, '{0,timestamp}', to_jsonb(${timestamp}))
       else jsonb_path_query_array(
              jsonb_build_array(jsonb_build_object('message', ${message}, 'timestamp', ${timestamp})) || ${column},
              '$[0 to ${maxErrors - 1}]') end`
}
