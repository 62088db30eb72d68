import type { CommandIo } from './command.ts'

/** One line that is written over, where somebody watches. */
export function progress(io: CommandIo, text: string): void {
  if (io.isTerminal) io.err(`\r\u001B[K${text}`)
}
