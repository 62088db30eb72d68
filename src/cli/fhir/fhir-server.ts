import type { Parameters } from '@medplum/fhirtypes'
import { deadline } from '../../deadline.ts'
import { TopicDestinationError } from '../../errors.ts'
import { isJsonObject, objectsIn, type JsonObject } from '../../resources/json-shapes.ts'
import { serverVariables } from '../../server/options.ts'
import type { CommandCall, CommandOption } from '../command.ts'
import { printable } from '../printable.ts'

export const serverOptions: Readonly<Record<'url' | 'token', CommandOption>> = {
  url: {
    type: 'string',
    value: 'URL',
    doc: 'Base URL of the FHIR server. Default: the environment variable FHIR_URL.',
  },
  token: {
    type: 'string',
    value: 'TOKEN',
    doc: 'Bearer token. Default: the environment variable FHIR_TOKEN; without one none is sent.',
  },
}

/** Longer than a dry run by default. */
const timeoutMs = 60_000

/** A request that failed. */
export class FhirRequestError extends TopicDestinationError {
  override readonly name: string = 'FhirRequestError'
  /** Whether the same request may do later: nobody answered, or a server that is in trouble or busy. */
  readonly isTransient: boolean
  /** Whether what was asked for is not there, or not any more. */
  readonly isGone: boolean

  constructor(message: string, isTransient: boolean, cause?: unknown, status?: number) {
    super('KTD_REQUEST', message, { cause })
    this.isTransient = isTransient
    this.isGone = status === 404 || status === 410
  }
}

const { host, port } = serverVariables
const whereItIs = `where the FHIR server is, with --url or the environment variable FHIR_URL. The reference server is at http://${host.default}:${port.default}/fhir unless it is told otherwise.`

/** FHIR REST, as far as the commands need it. */
export class FhirServer {
  /** Without a slash at its end. */
  readonly baseUrl: string
  readonly #token: string | undefined

  /** @throws TopicDestinationError `KTD_REQUEST` when there is no URL */
  constructor({ options, io }: CommandCall) {
    const url = options.text('url') ?? io.env['FHIR_URL'] ?? ''
    if (!/^https?:/i.test(url) || !URL.canParse(url)) {
      const what = url === '' ? 'Say' : `${printable(url)} is no address: say`
      throw new TopicDestinationError('KTD_REQUEST', `${what} ${whereItIs}`)
    }
    this.baseUrl = url.replace(/\/+$/, '')
    this.#token = options.text('token') ?? io.env['FHIR_TOKEN']
    // The error of fetch would quote it.
    if (this.#token !== undefined && !/^[\u0021-\u007E]+$/.test(this.#token)) {
      throw new TopicDestinationError(
        'KTD_REQUEST',
        'The token is empty, or has characters that no header can have, such as a line break.',
      )
    }
  }

  get authorization(): { readonly authorization?: string } {
    return this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }
  }

  /** @param path behind the base URL, or a whole URL of a link
   *  @throws FhirRequestError */
  async get(path: string, stopped?: AbortSignal): Promise<JsonObject> {
    return this.#send('GET', path, undefined, stopped)
  }

  /** @throws FhirRequestError */
  async post(path: string, body: Parameters): Promise<JsonObject> {
    return this.#send('POST', path, JSON.stringify(body))
  }

  async #send(
    method: string,
    path: string,
    body?: string,
    stopped = new AbortController().signal,
  ): Promise<JsonObject> {
    const url = path.startsWith('http') ? path : `${this.baseUrl}/${path}`
    // A link to another server must not get the token.
    const isOwn = url.startsWith(`${this.baseUrl}/`)
    const headers = {
      accept: 'application/fhir+json',
      ...(body !== undefined && { 'content-type': 'application/fhir+json' }),
      ...(isOwn && this.authorization),
    }
    const request = { method, headers, ...(body !== undefined && { body }) }
    const { answer, text } = await textOfAnswer(url, request, stopped)
    const resource = parsed(text)
    if (answer.ok && resource) return resource
    const why = resource ? reasonsOf(resource) : answer.ok ? 'This is not FHIR in JSON.' : ''
    throw refusal(`${method} ${url}`, answer, why)
  }
}

async function textOfAnswer(
  url: string,
  request: RequestInit,
  stopped: AbortSignal,
): Promise<{ answer: Response; text: string }> {
  const { signal, dispose } = deadline(timeoutMs, stopped)
  try {
    const answer = await fetch(url, { ...request, signal })
    return { answer, text: await answer.text() }
  } catch (error) {
    throw unreachable(url, error)
  } finally {
    dispose()
  }
}

/** @param request method and URL, which may be one of a link of the server */
export function refusal(request: string, { status }: Response, why: string): FhirRequestError {
  return new FhirRequestError(
    `${printable(request)} answered ${status}${why === '' ? '.' : `: ${printable(why)}`}`,
    status >= 500 || status === 429,
    undefined,
    status,
  )
}

/** @param url may be one of a link of the server
 *  @param error what `fetch` has thrown */
export function unreachable(url: string, error: unknown): FhirRequestError {
  const why = `${printable(url)} cannot be reached: ${fetchFailure(error)}`
  return new FhirRequestError(why, true, error)
}

/** In the words of the network. */
export function fetchFailure(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return printable(cause instanceof Error ? cause.message : String(cause))
}

export function parsed(text: string): JsonObject | undefined {
  try {
    const resource: unknown = JSON.parse(text)
    return isJsonObject(resource) ? resource : undefined
  } catch {
    return undefined
  }
}

function reasonsOf(resource: JsonObject): string {
  return objectsIn(resource['issue'])
    .map(
      ({ details, diagnostics }) =>
        (isJsonObject(details) ? details['text'] : undefined) ?? diagnostics,
    )
    .filter((text) => typeof text === 'string')
    .join(' ')
}
