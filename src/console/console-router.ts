import type { IncomingMessage, ServerResponse } from 'node:http'
import { OperationOutcomeError } from '@medplum/core'
import type { ExpressHandler, HttpRequest } from '../http/express.ts'
import { readBody } from '../http/read-body.ts'
import { silentLogger, type Logger } from '../observability/logger.ts'
import { moduleLogger } from '../observability/module-logger.ts'
import { destinationTypeName } from '../resources/type-names.ts'
import { outcomeOfError, statusOf } from '../rest/outcomes.ts'
import type { Overview } from '../monitor/delivery-monitor.ts'
import type { TailEntry } from '../monitor/views.ts'
import type { ErrorBody } from './api-views.ts'
import { serveAsset } from './assets.ts'
import { mayKnow, maySee, overviewFor } from './caller-view.ts'
import { assertOwnAction, assertOwnPage } from './cross-site.ts'
import { ConsoleError, notAllowed } from './console-error.ts'
import type { ConsoleCaller, ConsoleOptions } from './console-options.ts'
import { EventStream } from './event-stream.ts'
import { outcomeText } from './fhir-calls.ts'
import { findRoute } from './find-route.ts'
import type { ConsoleRoute, RouteRequest } from './routes.ts'
import { securityHeaders } from './security-headers.ts'
import { ConsoleSession } from './console-session.ts'

/** Serves the console below the path that it is mounted at. */
export interface ConsoleRouter extends ExpressHandler {
  /** Ends what is live, so that the server can close. */
  readonly close: () => void
}

/** Who listens to a stream, with the rights of now. */
interface Listener {
  caller: ConsoleCaller
}

const away: ErrorBody = { error: 'The database does not answer: what is shown is from before.' }
const bodyLimitBytes = 5 * 1024 * 1024
/** Of whoever has not signed in. */
const sessionBodyLimitBytes = 16 * 1024
const maxStreams = 200

/** The console as middleware for Express and everything that takes its middleware: `app.use('/console', consoleRouter(…))`. Pages are open to
 *  everybody and hold nothing; all data comes from the API below `/api`, which asks `authorize` for each request. To be called when the module is
 *  registered with its host. */
export function consoleRouter<Request extends IncomingMessage = HttpRequest>(
  options: ConsoleOptions<Request>,
): ConsoleRouter {
  // Only who mounts the router knows what stands in front of it.
  const server = new ConsoleServer(options as ConsoleOptions)
  const handler: ExpressHandler = async (request, response, next) => {
    if (!(await server.answer(request, response))) next()
  }
  return Object.assign(handler, {
    close: () => {
      server.close()
    },
  })
}

class ConsoleServer {
  readonly #options: ConsoleOptions
  readonly #logger: Logger
  readonly #session: ConsoleSession
  readonly #streams = new Set<EventStream>()
  #isClosed = false

  constructor(options: ConsoleOptions) {
    this.#options = options
    this.#logger = moduleLogger(options.logger ?? silentLogger)
    this.#session = new ConsoleSession(options)
    options.module.monitor.keepSamples()
  }

  close(): void {
    this.#isClosed = true
    for (const stream of this.#streams) stream.end()
  }

  /** @returns whether it is answered */
  async answer(request: HttpRequest, response: ServerResponse): Promise<boolean> {
    const { pathname, searchParams } = targetOf(request)
    try {
      if (!pathname.startsWith('/api/')) return await serveAsset(request, response, pathname)
      setHeaders(response, securityHeaders)
      response.setHeader('cache-control', 'no-store')
      await this.#answerApi(request, response, pathname.slice('/api'.length), searchParams)
    } catch (error) {
      this.#refuse(response, error)
    }
    return true
  }

  async #answerApi(
    request: HttpRequest,
    response: ServerResponse,
    path: string,
    query: URLSearchParams,
  ): Promise<void> {
    this.#assertOpen()
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    if (isRead) assertOwnPage(request)
    else assertOwnAction(request)
    if (path === '/session' && !isRead) {
      await this.#session.change(request, response, await bodyOf(request, sessionBodyLimitBytes))
      return
    }
    const caller = await this.#options.authorize(request)
    if (!caller) throw new ConsoleError(401, 'Sign in to use the console.')
    if (path === '/session') {
      sendJson(response, 200, this.#session.view(caller))
      return
    }
    if (path === '/tail') {
      if (request.method !== 'GET') throw notAllowed(['GET'])
      this.#streamTail(request, response, query, caller)
      return
    }
    const found = findRoute(isRead ? 'GET' : request.method, path)
    if (found.route.right === 'write' && !caller.mayWrite) {
      throw new ConsoleError(403, 'You may look, but not change anything.')
    }
    const body = isRead ? undefined : await bodyOf(request, bodyLimitBytes)
    const overview = (): Promise<Overview> => this.#overview(caller)
    const routed = { caller, params: found.params, query, body, overview }
    if (found.route.isLive && asksForStream(request)) {
      await this.#streamRoute(request, response, found.route, routed)
      return
    }
    sendJson(response, 200, await found.route.handle(routed, this.#options))
  }

  async #overview(caller: ConsoleCaller): Promise<Overview> {
    const overview = await this.#options.module.monitor.overview().catch(() => undefined)
    if (!overview) throw new ConsoleError(503, 'The database does not answer.')
    return overviewFor(caller, overview)
  }

  /** The answer of a route, whenever it has changed. */
  async #streamRoute(
    request: HttpRequest,
    response: ServerResponse,
    route: ConsoleRoute,
    routed: RouteRequest,
  ): Promise<void> {
    let sent = ''
    const textOf = async (asked: RouteRequest): Promise<string> =>
      JSON.stringify(await route.handle(asked, this.#options))
    // What is wrong with the request is told with its status.
    const first = await textOf(routed)
    const { stream, listener } = this.#open(request, response, routed.caller)
    const send = (text: string): void => {
      // Who reads slowly gets the newest when there is room again.
      if (text === sent || stream.isBehind) return
      sent = text
      stream.send('view', text)
    }
    send(first)
    stream.onEnd(
      this.#options.module.monitor.watch((overview) => {
        if (!overview) {
          // What was sent is not as new as it seems: it is sent again when it is.
          if (sent !== '') stream.send('away', JSON.stringify(away))
          sent = ''
          return
        }
        const { caller } = listener
        const seen = Promise.resolve(overviewFor(caller, overview))
        textOf({ ...routed, caller, overview: () => seen }).then(send, (error: unknown) => {
          // It is gone, for one.
          stream.send('gone', JSON.stringify(errorBody(error)))
          stream.end()
        })
      }),
    )
  }

  #streamTail(
    request: HttpRequest,
    response: ServerResponse,
    query: URLSearchParams,
    caller: ConsoleCaller,
  ): void {
    const [destination, topic] = [query.get('destination') ?? '', query.get('topic') ?? '']
    const after = request.headers['last-event-id'] ?? query.get('after') ?? ''
    const { stream, listener } = this.#open(request, response, caller)
    let isFirst = true
    let isAway = false
    stream.onEnd(
      this.#options.module.monitor.watch((overview) => {
        if (isAway === !overview) return
        isAway = !overview
        if (isAway) stream.send('away', JSON.stringify(away))
        else stream.send('tail', '[]')
      }),
    )
    stream.onEnd(
      this.#options.module.monitor.tail(({ entries, position, isGap }) => {
        if (isGap) stream.send('gap', '{}')
        // Not before: what follows the gap is not sent yet.
        stream.position = position
        const wanted = entries.filter(
          (entry) =>
            maySeeEntry(listener.caller, entry) &&
            (destination === '' || entry.destination === `${destinationTypeName}/${destination}`) &&
            (topic === '' || entry.topicUrl === topic),
        )
        if (wanted.length > 0 || isFirst) stream.send('tail', JSON.stringify(wanted))
        isFirst = false
      }, String(after)),
    )
  }

  #open(
    request: HttpRequest,
    response: ServerResponse,
    caller: ConsoleCaller,
  ): { readonly stream: EventStream; readonly listener: Listener } {
    // Who was asked about meanwhile would have a stream that nobody ends.
    this.#assertOpen()
    if (this.#streams.size >= maxStreams) {
      throw new ConsoleError(503, 'Too many pages are open; close some and try again.')
    }
    const listener: Listener = { caller }
    const stream = new EventStream(response, async () => {
      const now = await this.#options.authorize(request)
      if (now) listener.caller = now
      return now !== undefined
    })
    this.#streams.add(stream)
    stream.onEnd(() => this.#streams.delete(stream))
    return { stream, listener }
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new ConsoleError(503, 'The server is stopping.')
  }

  #refuse(response: ServerResponse, error: unknown): void {
    if (response.headersSent) {
      response.destroy()
      return
    }
    setHeaders(response, securityHeaders)
    const status = statusOfError(error)
    if (status >= 500 && !(error instanceof ConsoleError)) {
      this.#logger.error({ err: error }, 'a request failed unexpectedly')
    }
    if (error instanceof ConsoleError) setHeaders(response, error.headers)
    const canSignIn = this.#options.signIn !== undefined
    sendJson(response, status, { ...errorBody(error), ...(status === 401 ? { canSignIn } : {}) })
  }
}

function maySeeEntry(caller: ConsoleCaller, entry: TailEntry): boolean {
  const destination = { reference: entry.destination, organization: entry.organization }
  return maySee(caller, destination) && mayKnow(caller, destination, entry.eventOrganization)
}

/** HEAD would wait for the end of a body that it does not get. */
function asksForStream({ method, headers }: HttpRequest): boolean {
  return method === 'GET' && headers.accept?.includes('text/event-stream') === true
}

/** A path that begins with two slashes would be taken for a host. */
function targetOf({ url = '/' }: HttpRequest): URL {
  return new URL(url.startsWith('/') ? `http://console${url}` : 'http://console/')
}

function setHeaders(response: ServerResponse, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
}

function statusOfError(error: unknown): number {
  return error instanceof ConsoleError ? error.status : statusOf(outcomeOfError(error))
}

function errorBody(error: unknown): ErrorBody {
  if (error instanceof ConsoleError) return { error: error.message }
  return { error: outcomeText(outcomeOfError(error)) ?? 'The request failed.' }
}

/** @throws ConsoleError 400, 413, 415 */
async function bodyOf(request: HttpRequest, limitBytes: number): Promise<unknown> {
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) {
    throw new ConsoleError(415, 'The body must be application/json.')
  }
  try {
    const body = await readBody(request, limitBytes)
    if (!body) throw new ConsoleError(400, 'The request needs a body.')
    return 'parsed' in body ? body.parsed : (JSON.parse(body.bytes.toString('utf8')) as unknown)
  } catch (error) {
    // A parser's message quotes the text.
    if (error instanceof SyntaxError) throw new ConsoleError(400, 'The body is not JSON.')
    if (error instanceof OperationOutcomeError) {
      throw new ConsoleError(
        statusOf(error.outcome),
        outcomeText(error.outcome) ?? 'The body cannot be read.',
      )
    }
    throw error
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body)
  response.statusCode = status
  response.setHeader('content-type', 'application/json; charset=utf-8')
  response.setHeader('content-length', Buffer.byteLength(text))
  response.end(text)
}
