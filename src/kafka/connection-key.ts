import { createHash } from 'node:crypto'
import type { ProducerConfig } from './producer-config.ts'

const connectionSettings =
  /^(?:client\.id|bootstrap\.servers|security\.|sasl\.|ssl\.|socket\.|reconnect\.)/

/** Settings of the connection, which the clients of one producer share. */
export function connectionSettingsOf({ global }: ProducerConfig): ProducerConfig['global'] {
  return Object.fromEntries(
    Object.entries(global).filter(([name]) => connectionSettings.test(name)),
  )
}

/** The same for clients that reach the same brokers as the same principal: that a login is refused says nothing of another one. Holds no
 *  secret. */
export function connectionKey(config: ProducerConfig): string {
  const settings = Object.entries(connectionSettingsOf(config)).toSorted(byName)
  const all = JSON.stringify([settings, config.tokens ?? null, config.keyStoreSha256 ?? null])
  return createHash('sha256').update(all).digest('base64')
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1
}
