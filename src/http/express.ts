import type { IncomingMessage, ServerResponse } from 'node:http'
import { OwnTypesHost, type OwnTypesHostOptions } from '../own-types/own-types-host.ts'
import type { Principal } from '../host/types.ts'
import { parseJsonBody } from '../rest/request-body.ts'
import { clientBaseUrl } from '../rest/rest-request.ts'
import { readBody, type ParsedRequest } from './read-body.ts'
import { sendAnswer } from './send-answer.ts'

export { statusOf } from '../rest/outcomes.ts'

/** What is used of a request of Express 5; Connect and plain Node have less. */
export interface HttpRequest extends ParsedRequest {
  body?: unknown
  readonly protocol?: string
  /** With the port. */
  readonly host?: string
  /** Of the client, as far as the proxies in between are trusted. */
  readonly ip?: string | undefined
  /** Path that the router is mounted at. */
  readonly baseUrl?: string
}

/** `Request`: what the middleware in front makes of a request, such as one with a `user`. */
export interface ExpressHostOptions<
  Request extends IncomingMessage = HttpRequest,
> extends OwnTypesHostOptions {
  /** Largest body in bytes, after decompression, where no body parser stands in front.
   *  @default 52428800 */
  readonly bodyLimitBytes?: number
  /** Who made a request, as a middleware in front has authenticated it; goes to `authorize`. Default: nobody in particular. */
  readonly principalOf?: (request: Request) => Principal | undefined
}

/** Fits `app.use('/fhir', …)` of Express and everything that takes its middleware. */
export type ExpressHandler = (
  request: HttpRequest,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => Promise<void>

/** A host for the module in an Express server: it keeps the module's two types, and `router` serves them. */
export class ExpressHost<Request extends IncomingMessage = HttpRequest> extends OwnTypesHost {
  /** Serves the module's types below the path that it is mounted at, and passes everything else on. A body parser may stand before it
   *  or after it; a Bundle that it has read and passes on is in `request.body`. */
  readonly router: ExpressHandler

  constructor(options: ExpressHostOptions<Request>) {
    super(options)
    this.router = async (request, response, next) => {
      let isAnswered: boolean
      try {
        isAnswered = await this.#serve(options, request, response)
      } catch (error) {
        next(error)
        return
      }
      if (!isAnswered) next()
    }
  }

  async #serve(
    options: ExpressHostOptions<Request>,
    request: HttpRequest,
    response: ServerResponse,
  ): Promise<boolean> {
    const { baseUrl, bodyLimitBytes = 50 * 1024 * 1024, principalOf } = options
    let left: { readonly parsed: unknown } | undefined
    const answer = await this.handle({
      method: request.method ?? 'GET',
      url: request.url ?? '/',
      headers: request.headers,
      readBody: async () => {
        const body = await readBody(request, bodyLimitBytes)
        if (!body || 'parsed' in body || !isBase(request)) return body
        left = { parsed: parseJsonBody(body.bytes, request.headers['content-type']) }
        return left
      },
      // Only who mounts the router knows what stands in front of it.
      principal: principalOf?.(request as IncomingMessage as Request),
      clientBaseUrl: clientBaseUrl(baseUrl, {
        protocol: request.protocol,
        host: request.host ?? request.headers.host,
        path: request.baseUrl ?? '',
      }),
    })
    if (answer) sendAnswer(response, answer)
    else if (left) leaveBody(request, left.parsed)
    return answer !== undefined
  }
}

function isBase({ url = '/' }: HttpRequest): boolean {
  return /^\/*(?:\?|$)/.test(url)
}

/** A parser behind the router finds the stream at its end and leaves alone what we put in the place of its own result. */
function leaveBody(request: HttpRequest, body: unknown): void {
  // body-parser 1 looks at the flag, body-parser 2 at the stream.
  Object.assign(request, { body, _body: true })
}

/** @throws TopicDestinationError `KTD_INVALID_OPTION` */
export function expressHost<Request extends IncomingMessage = HttpRequest>(
  options: ExpressHostOptions<Request>,
): ExpressHost<Request> {
  return new ExpressHost(options)
}
