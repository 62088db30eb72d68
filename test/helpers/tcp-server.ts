import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { CleanUp } from './postgres.ts'

export interface TcpServer {
  readonly server: Server
  /** `host:port` */
  readonly address: string
}

/** A server on a free port; closed with its connections after the test.
 *  @param take gets each connection */
export async function tcpServer(t: CleanUp, take: (socket: Socket) => void): Promise<TcpServer> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    take(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after?.(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return { server, address: `127.0.0.1:${(server.address() as AddressInfo).port}` }
}
