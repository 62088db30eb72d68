import { loggableError } from './loggable-error.ts'

/** A pino-shaped logger: fields first, then one sentence. Resource content and secrets are never passed to it. */
export interface Logger {
  trace(fields: object, message: string): void
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  child(bindings: object): Logger
}

const ignore = (): void => undefined

/** The default: says nothing. */
export const silentLogger: Logger = {
  trace: ignore,
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  child: () => silentLogger,
}

const levels = ['trace', 'debug', 'info', 'warn', 'error'] as const

/** The same logger, given no more of an error in `err` than {@link loggableError} leaves: what PostgreSQL says may quote a row. */
export function withLoggableErrors(logger: Logger): Logger {
  const told = (fields: object): object =>
    'err' in fields ? { ...fields, err: loggableError(fields.err) } : fields
  const methods = levels.map((level) => [
    level,
    (fields: object, message: string) => {
      logger[level](told(fields), message)
    },
  ])
  const child = (bindings: object): Logger => withLoggableErrors(logger.child(told(bindings)))
  // One method for each level of the list.
  return { ...(Object.fromEntries(methods) as Omit<Logger, 'child'>), child }
}
