import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { onFrames } from './kafka-frames.ts'
import type { CleanUp } from './postgres.ts'

const produceKey = 0

export interface WithholdingProxy {
  readonly port: number
  /** Where it goes on to. */
  target: number
  /** From now on requests reach the broker, and answers to Produce do not come back. */
  withhold(): void
  /** Ends all connections; new ones get every answer. */
  release(): void
}

/** Stands between clients and a broker without TLS. */
export async function withholdingProxy(t: CleanUp): Promise<WithholdingProxy> {
  const sockets = new Set<Socket>()
  let isWithholding = false
  const proxy = { port: 0, target: 0, withhold, release }
  const server = createServer((client) => {
    const broker = connect(proxy.target, '127.0.0.1')
    const producing = new Set<number>()
    for (const [from, to] of [
      [client, broker],
      [broker, client],
    ] as const) {
      sockets.add(from)
      from
        .on('error', () => undefined)
        .on('close', () => {
          sockets.delete(from)
          to.destroy()
        })
    }
    // A request is length, api key, version and correlation id; an answer is length and correlation id.
    onFrames(client, (frame) => {
      if (frame.readInt16BE(4) === produceKey) producing.add(frame.readInt32BE(8))
      broker.write(frame)
    })
    onFrames(broker, (frame) => {
      const isOfProduce = producing.delete(frame.readInt32BE(4))
      if (!isOfProduce || !isWithholding) client.write(frame)
    })
  })
  function withhold(): void {
    isWithholding = true
  }
  function release(): void {
    isWithholding = false
    for (const socket of sockets) socket.destroy()
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxy.port = (server.address() as AddressInfo).port
  t.after?.(() => {
    release()
    server.close()
  })
  return proxy
}
