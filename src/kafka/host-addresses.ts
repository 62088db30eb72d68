import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { blockingCalls } from './blocking-calls.ts'

/** The addresses of a host. A look-up holds a thread like a connect does, so it waits for its turn among them.
 *  @param calledOff ends the wait for its turn
 *  @throws {@link Error} with the code of the resolver, or the reason why it was called off */
export async function addressesOf(
  host: string,
  calledOff?: AbortSignal,
): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host]
  const found = await blockingCalls.run(
    'lookup',
    host,
    () => lookup(host, { all: true }),
    calledOff,
  )
  return found.map(({ address }) => address)
}
