import type { HttpLoad } from './http-load.ts'

interface StatusParameters {
  readonly parameter: readonly { readonly name: string; readonly valueDecimal?: number }[]
}

/** Waits until a destination has nothing left to send.
 *  @returns messagesDelivered */
export async function untilSettled(load: HttpLoad, id: string): Promise<number> {
  for (const deadlineMs = Date.now() + 120_000; ;) {
    const status = JSON.parse(
      await load.send('GET', `/AidboxTopicDestination/${id}/$status`),
    ) as StatusParameters
    const count = (name: string): number =>
      status.parameter.find((parameter) => parameter.name === name)?.valueDecimal ?? 0
    if (count('messagesQueued') + count('messagesInProcess') === 0)
      return count('messagesDelivered')
    if (Date.now() > deadlineMs) throw new Error(`${id} still has events after 120 s`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
