import { setTimeout as delay } from 'node:timers/promises'
import type { CommandIo } from '../command.ts'
import { tell, tellTrouble } from '../progress.ts'
import { FhirRequestError } from './fhir-server.ts'

export interface AskAgainOptions {
  readonly intervalMs: number
  readonly stopped?: AbortSignal | undefined
}

/** Asks once the interval is over, and again while nobody answers or the server is in trouble, as when it restarts: that is told once, and so is the end of it.
 *  @returns undefined once it is stopped
 *  @throws whatever else `ask` throws */
export async function askAgain<Answer>(
  io: CommandIo,
  { intervalMs, stopped }: AskAgainOptions,
  ask: () => Promise<Answer>,
): Promise<Answer | undefined> {
  for (let isAnswered = true; ;) {
    try {
      await delay(intervalMs, undefined, stopped ? { signal: stopped } : {})
      const answer = await ask()
      if (!isAnswered) tell(io, 'The server answers again.')
      return answer
    } catch (error) {
      if (stopped?.aborted === true) return undefined
      if (!(error instanceof FhirRequestError && error.isTransient)) throw error
      if (isAnswered) tellTrouble(io, error.message, 'asking again until it answers')
      isAnswered = false
    }
  }
}
