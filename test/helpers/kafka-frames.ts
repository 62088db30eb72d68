import type { Socket } from 'node:net'

/** Calls `handle` with each request or answer of Kafka that a socket brings, its length in front included. */
export function onFrames(socket: Socket, handle: (frame: Buffer) => void): void {
  let rest = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.byteLength >= 4 && rest.byteLength >= 4 + rest.readInt32BE(0)) {
      const end = 4 + rest.readInt32BE(0)
      handle(rest.subarray(0, end))
      rest = rest.subarray(end)
    }
  })
}
