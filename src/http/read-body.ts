import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { OperationOutcomeError } from '@medplum/core'
import { badRequestError, payloadTooLarge, unsupportedMediaType } from '../rest/outcomes.ts'
import type { RequestBody } from '../rest/rest-request.ts'

/** A request that a body parser may have read before us. */
export interface ParsedRequest extends IncomingMessage {
  readonly body?: unknown
}

/** The body of a request: what a parser before us has left in `body`, else the bytes, decompressed.
 *  @throws OperationOutcomeError 413 when it is larger than `limitBytes`, 415 for an unknown Content-Encoding, 400 when it breaks off */
export async function readBody(
  request: ParsedRequest,
  limitBytes: number,
): Promise<RequestBody | undefined> {
  // A body of no bytes is read without a `data` event.
  if (request.readableDidRead || request.readableEnded || request.destroyed) {
    return bodyOfParser(request.body)
  }
  const bytes = await collect(request, decompressed(request), limitBytes)
  return bytes.length === 0 ? undefined : { bytes }
}

/** Not `for await`: leaving its loop destroys the stream, and with it the connection that the 413 is to be sent on. */
function collect(request: IncomingMessage, body: Readable, limitBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let sizeBytes = 0
    const fail = (error: OperationOutcomeError): void => {
      request.unpipe()
      request.pause()
      body.removeListener('data', take)
      reject(error)
    }
    const unreadable = (): void => {
      fail(badRequestError('The body could not be read.', 'structure'))
    }
    const take = (chunk: Buffer): void => {
      sizeBytes += chunk.length
      if (sizeBytes > limitBytes) fail(new OperationOutcomeError(payloadTooLarge(limitBytes)))
      else chunks.push(chunk)
    }
    body.on('data', take)
    body.once('end', () => {
      resolve(Buffer.concat(chunks))
    })
    body.on('error', unreadable)
    // A client that goes away: a decompressor in between hears nothing of it.
    request.on('error', unreadable)
  })
}

function bodyOfParser(body: unknown): RequestBody | undefined {
  if (body === undefined) return undefined
  if (typeof body === 'string') return { bytes: Buffer.from(body) }
  return Buffer.isBuffer(body) ? { bytes: body } : { parsed: body }
}

function decompressed(request: IncomingMessage): Readable {
  const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity'
  switch (encoding) {
    case 'identity':
      return request
    case 'gzip':
    case 'x-gzip':
      return request.pipe(createGunzip())
    case 'deflate':
      return request.pipe(createInflate())
    case 'br':
      return request.pipe(createBrotliDecompress())
    default: {
      const text = 'The Content-Encoding is not supported.'
      throw new OperationOutcomeError(unsupportedMediaType(text))
    }
  }
}
