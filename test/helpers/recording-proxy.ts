import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { CleanUp } from './postgres.ts'

/** A TCP port in front of another one that keeps what clients send. */
export interface RecordingProxy {
  readonly port: number
  /** Connections that come from now on are passed to this `host:port`; before that they are closed. */
  forwardTo(target: string): void
  /** Resolves when the clients have sent these bytes; fails after half a minute. */
  untilSent(bytes: Buffer): Promise<void>
}

export async function recordingProxy(t: CleanUp): Promise<RecordingProxy> {
  let target: string | undefined
  const sockets = new Set<Socket>()
  let sent = Buffer.alloc(0)
  let wake = (): void => undefined
  const server = createServer((client) => {
    if (target === undefined) {
      client.destroy()
      return
    }
    const [host = '', port = ''] = target.split(':')
    const broker = connect(Number(port), host)
    for (const socket of [client, broker]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => sockets.delete(socket))
    }
    client.on('data', (chunk: Buffer) => {
      sent = Buffer.concat([sent, chunk])
      wake()
    })
    client.pipe(broker).pipe(client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after?.(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  const listening = server.address()
  if (listening === null || typeof listening === 'string') throw new Error('No port.')
  return {
    port: listening.port,
    forwardTo(address) {
      target = address
    },
    async untilSent(bytes) {
      const endsAt = Date.now() + 30_000
      while (!sent.includes(bytes)) {
        const leftMs = endsAt - Date.now()
        if (leftMs <= 0) throw new Error(`these bytes were not sent: ${bytes.toString('latin1')}`)
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, leftMs)
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
    },
  }
}
