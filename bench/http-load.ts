import http from 'node:http'
import { atRate, saturate } from './paced.ts'

/** A client with a fixed number of connections, lighter than fetch so that it takes less of the machine from the server. */
export class HttpLoad {
  readonly #agent: http.Agent
  readonly #base: URL
  readonly connections: number

  constructor(baseUrl: string, connections: number) {
    this.#base = new URL(baseUrl)
    this.connections = connections
    this.#agent = new http.Agent({ keepAlive: true, maxSockets: connections })
  }

  /** @returns the body; throws when the status is not 2xx */
  async send(method: string, path: string, body?: object | string): Promise<string> {
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
    return new Promise((resolve, reject) => {
      const request = http.request(
        {
          agent: this.#agent,
          host: this.#base.hostname,
          port: this.#base.port,
          method,
          path: `${this.#base.pathname}${path}`,
          headers:
            text === undefined
              ? {}
              : {
                  'content-type': 'application/fhir+json',
                  'content-length': Buffer.byteLength(text),
                },
        },
        (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('error', reject)
          response.on('end', () => {
            const answer = Buffer.concat(chunks).toString()
            const status = response.statusCode ?? 0
            if (status >= 200 && status < 300) resolve(answer)
            else reject(new Error(`${method} ${path}: ${status} ${answer.slice(0, 500)}`))
          })
        },
      )
      request.on('error', reject)
      request.end(text)
    })
  }

  /** As many requests as fit into the time, on every connection at once.
   *  @returns requests per second */
  async saturate(durationMs: number, next: () => string, path: string): Promise<number> {
    return saturate(this.connections, durationMs, () => this.send('POST', path, next()))
  }

  /** An open loop: `rate` requests a second for the time, whether or not the former ones are answered. */
  async atRate(
    rate: number,
    durationMs: number,
    next: () => string,
    path: string,
  ): Promise<number> {
    return atRate(rate, durationMs, () => this.send('POST', path, next()))
  }

  close(): void {
    this.#agent.destroy()
  }
}
