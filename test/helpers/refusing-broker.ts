import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import type { CleanUp } from './postgres.ts'

const apiVersions = 18
const saslHandshake = 17
const saslAuthenticate = 36
/** What it knows: key, lowest and highest version of each. */
const known = [
  [3, 0, 1],
  [saslHandshake, 1, 1],
  [apiVersions, 0, 0],
  [saslAuthenticate, 0, 0],
] as const
const unsupportedVersion = 35
const saslAuthenticationFailed = 58

function int16(...values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(values.length * 2)
  values.forEach((value, index) => buffer.writeInt16BE(value, index * 2))
  return buffer
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4)
  buffer.writeInt32BE(value)
  return buffer
}

function text(value: string): Buffer {
  return Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)])
}

/** A broker with SASL PLAIN that refuses every login in words of its own; closed after the test.
 *  @param wordsFor gets the password
 *  @returns `host:port` */
export async function refusingBroker(
  t: CleanUp,
  wordsFor: (password: string) => string,
): Promise<string> {
  const sockets = new Set<Socket>()
  const answer = (key: number, version: number, body: Buffer): Buffer => {
    if (key === apiVersions) {
      const error = version === 0 ? 0 : unsupportedVersion
      const versions = known.map((each) => int16(...each))
      return Buffer.concat([int16(error), int32(versions.length), ...versions])
    }
    if (key === saslHandshake) return Buffer.concat([int16(0), int32(1), text('PLAIN')])
    const password = body.toString('utf8').split('\0').at(-1) ?? ''
    return Buffer.concat([int16(saslAuthenticationFailed), text(wordsFor(password)), int32(0)])
  }
  const server = createServer((socket) => {
    sockets.add(socket)
    let unread = Buffer.alloc(0)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    socket.on('data', (chunk) => {
      unread = Buffer.concat([unread, chunk])
      while (unread.length >= 4 && unread.length >= 4 + unread.readInt32BE(0)) {
        const request = unread.subarray(4, 4 + unread.readInt32BE(0))
        unread = unread.subarray(4 + request.length)
        const response = Buffer.concat([
          request.subarray(4, 8),
          answer(request.readInt16BE(0), request.readInt16BE(2), request.subarray(8)),
        ])
        socket.write(Buffer.concat([int32(response.length), response]))
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after?.(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}
