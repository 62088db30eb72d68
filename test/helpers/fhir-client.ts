import assert from 'node:assert/strict'

export interface FhirAnswer<Body = Record<string, unknown>> {
  readonly status: number
  readonly headers: Headers
  readonly body: Body
}

type StatusBody = {
  readonly parameter: readonly {
    readonly name: string
    readonly valueDecimal?: number
    readonly valueString?: string
    readonly part?: readonly { readonly name: string; readonly valueString?: string }[]
  }[]
}

/** What $status says, by name. */
export interface Status {
  readonly count: (name: string) => number
  readonly state: string | undefined
  readonly errors: readonly string[]
  readonly names: readonly string[]
}

/** Speaks FHIR REST to a server as any client would. */
export class FhirClient {
  readonly #base: string
  readonly #headers: Readonly<Record<string, string>>

  /** @param headers of every request, such as `authorization` */
  constructor(base: string, headers: Readonly<Record<string, string>> = {}) {
    this.#base = base
    this.#headers = headers
  }

  async request(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<FhirAnswer> {
    const response = await fetch(`${this.#base}${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/fhir+json' }),
        ...this.#headers,
        ...headers,
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    return {
      status: response.status,
      headers: response.headers,
      body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>,
    }
  }

  /** @throws when the answer is not 2xx */
  async ok(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Record<string, unknown>> {
    const answer = await this.request(method, path, body, headers)
    assert.ok(
      answer.status >= 200 && answer.status < 300,
      `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`,
    )
    return answer.body
  }

  async put(
    resource: { resourceType: string; id: string; [element: string]: unknown },
    headers: Record<string, string> = {},
  ): Promise<Record<string, unknown>> {
    return this.ok('PUT', `/${resource.resourceType}/${resource.id}`, resource, headers)
  }

  async status(id: string): Promise<Status> {
    const body = (await this.ok('GET', `/AidboxTopicDestination/${id}/$status`)) as StatusBody
    const find = (name: string) => body.parameter.find((parameter) => parameter.name === name)
    return {
      count: (name) => find(name)?.valueDecimal ?? Number.NaN,
      state: find('status')?.valueString,
      errors: body.parameter
        .filter(({ name }) => name === 'lastErrorDetail')
        .map(({ part }) => part?.find(({ name }) => name === 'message')?.valueString ?? ''),
      names: body.parameter.map(({ name }) => name),
    }
  }

  /** Asks for $status until it is as wanted. */
  async untilStatus(
    id: string,
    wanted: (status: Status) => boolean,
    timeoutMs = 30_000,
  ): Promise<Status> {
    for (const deadlineMs = Date.now() + timeoutMs; ;) {
      const status = await this.status(id)
      if (wanted(status)) return status
      if (Date.now() > deadlineMs)
        assert.fail(`$status of ${id} after ${timeoutMs} ms: ${JSON.stringify(status)}`)
      // A server tells it only to whoever asks.
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}
