import type { ServerResponse } from 'node:http'
import type { Answer } from '../rest/answer.ts'

/** Writes an answer, as JSON whatever the client accepts. */
export function sendAnswer(response: ServerResponse, { status, headers, body }: Answer): void {
  if (response.destroyed) return
  response.statusCode = status
  // The rest of a body that is too large is not read: it may have no end.
  if (status === 413) response.setHeader('connection', 'close')
  for (const [name, value] of Object.entries(headers)) {
    response.setHeader(name, typeof value === 'string' ? value : [...value])
  }
  if (body === undefined) {
    response.end()
    return
  }
  const text = JSON.stringify(body)
  response.setHeader('content-type', 'application/fhir+json; charset=utf-8')
  response.setHeader('content-length', Buffer.byteLength(text))
  response.end(text)
}
