import { isTopicDestinationError } from '../errors.ts'

/** SQLSTATE classes whose messages are about the server, the session or the schema. Those of others, 22 and 23 above all,
 *  quote values (https://www.postgresql.org/docs/current/errcodes-appendix.html). */
const harmlessState = /^(?:08|25|28|3D|3F|40|42|53|54|55|57|58)[0-9A-Z]{3}$/
/** Errors of Node's network and file calls name addresses and paths. */
const systemCode = /^E[A-Z]{2,}$/

/** What a log may hold of an error: its class, code and place. Its message, as `reason`, only where that cannot quote a resource. */
export function loggableError(error: unknown): object {
  if (!(error instanceof Error)) return { type: typeof error }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  return {
    type: error.name,
    ...(code === undefined ? {} : { code }),
    ...(isHarmless(error, code) ? { reason: error.message } : {}),
    stack: frames.join('\n'),
    ...(error.cause === undefined ? {} : { cause: loggableError(error.cause) }),
  }
}

function isHarmless(error: Error, code: string | undefined): boolean {
  if (isTopicDestinationError(error)) return true
  return code !== undefined && (harmlessState.test(code) || systemCode.test(code))
}
