import { once } from 'node:events'
import type { CleanUp } from './postgres.ts'
import { tcpServer } from './tcp-server.ts'

export interface SilentServer {
  /** `host:port` */
  readonly address: string
  /** That were taken so far. */
  readonly connections: number
  /** The next connection is taken. */
  readonly connected: Promise<unknown>
}

/** Takes connections and never answers; closed after the test. */
export async function silentServer(t: CleanUp): Promise<SilentServer> {
  let connections = 0
  const { server, address } = await tcpServer(t, () => connections++)
  return {
    address,
    get connections() {
      return connections
    },
    get connected() {
      return once(server, 'connection')
    },
  }
}
