import assert from 'node:assert/strict'
import type { ContractServer, DestinationOptions, Followed } from './contract-server.ts'

/** What a topic with this trigger selects of the changes that `write` makes, in order: `update Patient/1`.
 *
 *  Events of at least once are stored with the write, so that an empty queue means that all of them are there. */
export async function selectedBy(
  contract: ContractServer,
  trigger: object | readonly object[],
  write: () => Promise<unknown>,
): Promise<string[]> {
  const followed = await contract.follow(trigger, actionsOnly)
  await write()
  return selectedSoFar(contract, followed)
}

/** Destination elements that `selectedSoFar` needs. */
export const actionsOnly: DestinationOptions = { content: 'id-only', includeEntryAction: true }

export async function selectedSoFar(
  contract: ContractServer,
  { id, read }: Followed,
): Promise<string[]> {
  const { count } = await contract.fhir.untilStatus(
    id,
    (status) => status.count('messagesQueued') + status.count('messagesInProcess') === 0,
  )
  const delivered = count('messagesDelivered')
  if (delivered === 0) return []
  const notifications = await read(delivered)
  return notifications.map(({ focus, entry }) => {
    const [action] = (entry?.extension ?? []) as { valueCode?: string }[]
    assert.ok(action?.valueCode)
    return `${action.valueCode} ${focus}`
  })
}
