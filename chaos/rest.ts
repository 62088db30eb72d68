import http from 'node:http'

export interface Answer {
  readonly status: number
  readonly text: string
}

export interface Request {
  readonly method: string
  readonly path: string
  readonly body?: object
  readonly headers?: Readonly<Record<string, string>>
}

/** FHIR REST over kept connections. An answer that does not come in time is a failure: the server may have done it or not. */
export class Rest {
  readonly #agent = new http.Agent({ keepAlive: true })
  readonly #timeoutMs: number

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  async send(
    baseUrl: string,
    { method, path, body, headers = {} }: Request,
    timeoutMs: number = this.#timeoutMs,
  ): Promise<Answer> {
    const text = body === undefined ? '' : JSON.stringify(body)
    return new Promise((resolve, reject) => {
      const request = http.request(`${baseUrl}${path}`, {
        agent: this.#agent,
        method,
        headers: {
          'content-type': 'application/fhir+json',
          'content-length': String(Buffer.byteLength(text)),
          ...headers,
        },
        signal: AbortSignal.timeout(timeoutMs),
      })
      request.on('error', reject)
      request.on('response', (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() })
        })
      })
      request.end(text)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}
