import type { FhirResource } from '../host/types.ts'
import type { RestAccess } from './host-under-test.ts'

export interface RestAnswer {
  readonly status: number
  readonly body: RestBody
}

/** What the cases look at in an answer. */
export interface RestBody {
  readonly [element: string]: unknown
  readonly id?: string
  readonly meta?: FhirResource['meta']
  readonly entry?: readonly {
    readonly resource?: RestBody
    readonly response?: { readonly status?: string }
  }[]
  readonly issue?: readonly {
    readonly severity?: string
    readonly details?: { readonly text?: string }
    readonly expression?: readonly string[]
  }[]
}

/** One request as a FHIR client makes it. */
export async function request(
  { baseUrl, headers }: RestAccess,
  method: string,
  path: string,
  body?: unknown,
  more: Readonly<Record<string, string>> = {},
): Promise<RestAnswer> {
  const contentType = method === 'PATCH' ? 'application/json-patch+json' : 'application/fhir+json'
  const response = await fetch(`${baseUrl.replace(/\/+$/, '')}${path}`, {
    method,
    headers: {
      accept: 'application/fhir+json',
      ...(body === undefined ? {} : { 'content-type': contentType }),
      ...headers,
      ...more,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: response.status, body: parse(await response.text()) }
}

/** An answer that is no JSON shows up in the message of the case that looks at it. */
function parse(text: string): RestBody {
  if (text === '') return {}
  try {
    return JSON.parse(text) as RestBody
  } catch {
    return { text }
  }
}
