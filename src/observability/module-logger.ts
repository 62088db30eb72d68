import { loggableError } from './loggable-error.ts'
import { logLines, type LogLine } from './log-lines.ts'
import { loggerOf, logLevels, withLoggableErrors, type Logger, type LogLevel } from './logger.ts'
import { OnceAMinute } from './once-a-minute.ts'

/** Lowest level of lines by reference of the destination that they are about; `*`: of all others. */
export type DestinationLevels = Readonly<Record<string, LogLevel | 'silent'>>

interface CodedLine extends LogLine {
  readonly code: string
}

const linesByMessage = new Map<string, CodedLine>(
  Object.entries(logLines).map(([code, line]) => [line.message, { ...line, code }]),
)

/** The logger that the module's parts write to. Each line gets its code (`ev`), and a warning or error what to do about it (`action`), from the
 *  table of lines; what comes again and again is written once a minute; what is below the level of its destination is left out.
 *
 *  @param nowMs of a clock that never goes back, in milliseconds */
export function moduleLogger(
  logger: Logger,
  levels: DestinationLevels = {},
  nowMs?: () => number,
): Logger {
  return coded(withLoggableErrors(logger), levels, new OnceAMinute(nowMs))
}

function coded(logger: Logger, levels: DestinationLevels, repeats: OnceAMinute): Logger {
  const write = (level: LogLevel, fields: object, message: string): void => {
    const line = linesByMessage.get(message)
    // The delivery log has a level and a code of its own.
    if (!line || line.level === 'destination') {
      logger[level](fields, message)
      return
    }
    if (!isWanted(level, fields, levels)) return
    const isUrgent = level === 'warn' || level === 'error'
    const count = line.repeats === 'once-a-minute' ? repeats.pass(keyOf(line.code, fields)) : 1
    if (count === undefined) return
    logger[level](
      {
        ev: `topic-destination/${line.code}`,
        ...fields,
        ...(isUrgent ? { action: line.action } : {}),
        ...(count > 1 ? { repeated: count - 1 } : {}),
      },
      message,
    )
  }
  return loggerOf(write, (bindings) => coded(logger.child(bindings), levels, repeats))
}

function isWanted(level: LogLevel, fields: object, levels: DestinationLevels): boolean {
  if (!('destination' in fields)) return true
  const lowest = levels[String(fields.destination)] ?? levels['*'] ?? 'trace'
  return lowest !== 'silent' && logLevels.indexOf(level) >= logLevels.indexOf(lowest)
}

/** Lines of the same key say the same. */
function keyOf(code: string, fields: object): string {
  const { destination, topic, parameter, cause, fault, err } = fields as Record<string, unknown>
  const error = err === undefined ? undefined : { ...loggableError(err), stack: undefined }
  return JSON.stringify([code, destination, topic, parameter, cause, fault, error])
}
