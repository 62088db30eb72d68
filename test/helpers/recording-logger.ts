import { EventEmitter, once } from 'node:events'
import type { Logger } from '../../src/observability/logger.ts'

export interface LogLine {
  readonly level: keyof Omit<Logger, 'child'>
  readonly fields: Readonly<Record<string, unknown>>
  readonly message: string
}

const written = new EventEmitter()

/** A logger that keeps its lines. */
export function recordingLogger(lines: LogLine[]): Logger {
  const at =
    (level: LogLine['level']) =>
    (fields: object, message: string): void => {
      lines.push({ level, fields: { ...fields }, message })
      written.emit('line')
    }
  const logger: Logger = {
    trace: at('trace'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => logger,
  }
  return logger
}

/** Resolves when there is such a line among those of a {@link recordingLogger}. */
export async function untilLogged(
  lines: readonly LogLine[],
  wanted: (line: LogLine) => boolean,
): Promise<void> {
  while (!lines.some(wanted)) await once(written, 'line')
}
