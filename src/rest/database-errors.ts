/** What Node and name resolution say when nobody answers at the address of the database. */
const networkCodes: ReadonlySet<string> = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'ENOENT'],
  ...['ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'],
])

/** SQLSTATEs: class 08 = connection, 57P01 to 57P03 = shutdown, crash, starting up, 53300 = too many connections. */
const unavailableState = /^(?:08...|57P0[123]|53300)$/

/** pg and knex give these errors no code, and knex puts the statement before the messages of some: `ROLLBACK - Connection …`. */
const unavailableMessage =
  /(?:^| - )(?:Connection terminated|timeout expired|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed|Knex: Timeout acquiring a connection|Unable to acquire a connection)/

/** Whether the database cannot be reached at the moment, so that the same request may succeed later. */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  // One attempt for each address of a host name.
  if (error instanceof AggregateError && error.errors.some(isDatabaseUnavailable)) return true
  const code = codeOf(error)
  if (code !== undefined && (networkCodes.has(code) || unavailableState.test(code))) return true
  return code === undefined && unavailableMessage.test(error.message)
}

/** Whether the whole transaction may be run again: 40001 = serialization failure, 40P01 = deadlock. */
export function isRetryable(error: unknown): boolean {
  const code = error instanceof Error ? codeOf(error) : undefined
  return code === '40001' || code === '40P01'
}

function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
