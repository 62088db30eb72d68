import { isTopicDestinationError } from '../errors.ts'

/** Why the server did not start: one sentence for what an operator can mend, with the variable to look at; the stack for anything else. */
export function startFailure(error: unknown): string {
  if (isTopicDestinationError(error)) return `${error.code}: ${error.message}`
  if (!(error instanceof Error)) return String(error)
  const {
    code = '',
    syscall,
    severity,
  } = error as Error & { code?: string; syscall?: string; severity?: string }
  // Two addresses of one host that refuse are one error without words.
  const text = error.message === '' ? code : error.message
  if (syscall === 'listen') return `HOST and PORT: ${text}.`
  const isNetwork = syscall === 'connect' || syscall === 'getaddrinfo' || code === 'ECONNREFUSED'
  // PostgreSQL's errors have a severity.
  if (isNetwork || severity !== undefined) return `DATABASE_URL: ${text}.`
  return error.stack ?? text
}
