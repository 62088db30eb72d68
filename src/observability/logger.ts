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

export type LogLevel = Exclude<keyof Logger, 'child'>

export const logLevels: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error']

/** A logger that has one way to write for all levels. */
export function loggerOf(
  write: (level: LogLevel, fields: object, message: string) => void,
  child: Logger['child'],
): Logger {
  const methods = logLevels.map((level) => [
    level,
    (fields: object, message: string) => {
      write(level, fields, message)
    },
  ])
  // One method for each level of the list.
  return { ...(Object.fromEntries(methods) as Omit<Logger, 'child'>), child }
}

/** The same logger, given no more of an error in `err` than {@link loggableError} leaves: what PostgreSQL says may quote a row. */
export function withLoggableErrors(logger: Logger): Logger {
  const told = (fields: object): object =>
    'err' in fields ? { ...fields, err: loggableError(fields.err) } : fields
  return loggerOf(
    (level, fields, message) => {
      logger[level](told(fields), message)
    },
    (bindings) => withLoggableErrors(logger.child(told(bindings))),
  )
}
