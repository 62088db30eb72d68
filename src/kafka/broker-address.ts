export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

/** Reads `host:port` or `[IPv6]:port`; undefined for anything else. */
export function brokerAddress(broker: string): BrokerAddress | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(broker)
  const host = match?.[1] ?? match?.[2]
  return host === undefined ? undefined : { host, port: Number(match?.[3]) }
}
