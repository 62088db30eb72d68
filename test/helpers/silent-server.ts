import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { CleanUp } from './postgres.ts'

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
  const sockets = new Set<Socket>()
  let connections = 0
  const server: Server = createServer((socket) => {
    connections++
    sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after?.(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const { port } = server.address() as AddressInfo
  return {
    address: `127.0.0.1:${port}`,
    get connections() {
      return connections
    },
    get connected() {
      return once(server, 'connection')
    },
  }
}
