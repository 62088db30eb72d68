import type { ErrorBody } from '../api-views.ts'

/** What the API answers instead of 2xx. */
export class ApiError extends Error {
  readonly status: number
  readonly canSignIn: boolean

  constructor(status: number, { error, canSignIn = false }: ErrorBody) {
    super(error)
    this.status = status
    this.canSignIn = canSignIn
  }
}

export function apiUrl(path: string): string {
  return `api${path}`
}

/** @throws ApiError; with status 0 when nobody answers */
export async function request<Answer>(
  method: string,
  path: string,
  body?: unknown,
): Promise<Answer> {
  let response: Response
  try {
    response = await fetch(apiUrl(path), {
      method,
      headers: {
        accept: 'application/json',
        // Tells the server that no other site has made the browser send this.
        ...(method === 'GET' ? {} : { 'x-fhir-console': '1', 'content-type': 'application/json' }),
      },
      ...(method === 'GET' ? {} : { body: JSON.stringify(body ?? {}) }),
    })
  } catch {
    throw new ApiError(0, { error: 'The server does not answer.' })
  }
  const text = await response.text()
  const answer: unknown = text === '' ? {} : parsed(text)
  if (response.ok) return answer as Answer
  throw new ApiError(response.status, asError(answer, response.status))
}

export function get<Answer>(path: string): Promise<Answer> {
  return request<Answer>('GET', path)
}

export function post<Answer>(path: string, body: unknown): Promise<Answer> {
  return request<Answer>('POST', path, body)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

function asError(answer: unknown, status: number): ErrorBody {
  const isError = typeof answer === 'object' && answer !== null && 'error' in answer
  return isError ? (answer as ErrorBody) : { error: `The server answered ${status}.` }
}

/** A path with a query; what is empty is left out. */
export function withQuery(path: string, query: Readonly<Record<string, string | number>>): string {
  const used = Object.entries(query).filter(([, value]) => value !== '' && value !== 0)
  if (used.length === 0) return path
  const start = path.includes('?') ? '&' : '?'
  return `${path}${start}${new URLSearchParams(used.map(([name, value]) => [name, String(value)])).toString()}`
}
