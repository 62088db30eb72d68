import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { errorOutcome } from '../../rest/outcomes.ts'

/** Longer than the idle time of the usual load balancers and clients, so that they, not we, close an idle connection. */
const keepAliveTimeoutMs = 75_000

/** A bound HTTP server that knows its unanswered requests. */
export class HttpListener {
  /** `http://127.0.0.1:8080`; stays known after close(). */
  readonly origin: string
  readonly #server: Server
  readonly #unanswered = new Set<ServerResponse>()
  #closed: Promise<void> | undefined

  private constructor(server: Server) {
    this.#server = server
    // A TCP server that listens has an AddressInfo.
    const { address, family, port } = server.address() as AddressInfo
    this.origin = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
    server.keepAliveTimeout = keepAliveTimeoutMs
    server.on('request', (_request, response) => {
      this.#track(response)
    })
    server.on('clientError', refuseUnreadable)
  }

  /** Binds the address. The handler is called from then on.
   *  @throws the error of listen(), such as EADDRINUSE */
  static async bind(handler: RequestListener, host: string, port: number): Promise<HttpListener> {
    const server = createServer()
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, () => {
        server.off('error', reject)
        resolve()
      })
    })
    // Both are set before the event loop accepts the first connection's request.
    const listener = new HttpListener(server)
    server.on('request', handler)
    return listener
  }

  /** Stops accepting, lets unanswered requests finish within the deadline, then cuts what is left. Idempotent. */
  close(timeoutMs: number): Promise<void> {
    this.#closed ??= this.#close(timeoutMs)
    return this.#closed
  }

  async #close(timeoutMs: number): Promise<void> {
    for (const response of this.#unanswered) announceClose(response)
    const deadline = setTimeout(() => {
      this.#server.closeAllConnections()
    }, timeoutMs)
    await new Promise((resolve) => {
      this.#server.close(resolve)
      this.#server.closeIdleConnections()
    })
    clearTimeout(deadline)
  }

  #track(response: ServerResponse): void {
    this.#unanswered.add(response)
    if (!this.#server.listening) announceClose(response)
    response.once('close', () => {
      this.#unanswered.delete(response)
      // The connection of an answer that was already on its way at close() is idle only now.
      if (!this.#server.listening) this.#server.closeIdleConnections()
    })
  }
}

function announceClose(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('connection', 'close')
}

/** Answers what is no HTTP request, before any handler sees it. */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const status = unreadableStatus[error.code ?? ''] ?? '400 Bad Request'
  const body = JSON.stringify(
    errorOutcome('bad-request', 'structure', `The request could not be read: ${status.slice(4)}.`),
  )
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/fhir+json; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  )
}

const unreadableStatus: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}
