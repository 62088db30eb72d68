import type { CommandIo } from './command.ts'

/** One line that is written over, where somebody watches. */
export function progress(io: CommandIo, text: string): void {
  if (io.isTerminal) io.err(`\r\u001B[K${text}`)
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
