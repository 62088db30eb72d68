import type { CommandIo } from './command.ts'

const clearLine = '\r\u001B[K'

/** One line that is written over, where somebody watches. */
export function progress(io: CommandIo, text: string): void {
  if (io.isTerminal) io.err(`${clearLine}${text}`)
}

/** Why something has failed, and what becomes of it. */
export function tellTrouble(io: CommandIo, why: string, then: string): void {
  tell(io, `${why.replace(/\.$/, '')}; ${then}.`)
}

/** A line that stays, instead of the one that is written over. */
export function tell(io: CommandIo, text: string): void {
  io.err(`${io.isTerminal ? clearLine : ''}${text}\n`)
}

/** Does work that tells how far it is in such a line, which is gone in the end. */
export async function withProgress<Result>(
  io: CommandIo,
  work: (tell: (done: number, total: number, what: string) => void) => Promise<Result>,
): Promise<Result> {
  try {
    return await work((done, total, what) => {
      progress(io, `${done}/${total} ${what}`)
    })
  } finally {
    progress(io, '')
  }
}
