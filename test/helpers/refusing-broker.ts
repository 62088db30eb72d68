import { onFrames } from './kafka-frames.ts'
import type { CleanUp } from './postgres.ts'
import { tcpServer } from './tcp-server.ts'

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
  // A request is length, api key, version, correlation id and the rest; an answer is length, correlation id and the rest.
  const { address } = await tcpServer(t, (socket) => {
    onFrames(socket, (frame) => {
      const response = Buffer.concat([
        frame.subarray(8, 12),
        answer(frame.readInt16BE(4), frame.readInt16BE(6), frame.subarray(12)),
      ])
      socket.write(Buffer.concat([int32(response.length), response]))
    })
  })
  return address
}
