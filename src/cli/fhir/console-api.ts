import { TopicDestinationError } from '../../errors.ts'
import { consoleUrl } from '../../server/console-url.ts'
import type { CommandCall, CommandOption } from '../command.ts'
import {
  fetchFailure,
  FhirRequestError,
  FhirServer,
  parsed,
  refusal,
  unreachable,
} from './fhir-server.ts'
import { serverSentEvents, type ServerSentEvent } from './server-sent-events.ts'

export const consoleOption: Readonly<Record<'console', CommandOption>> = {
  console: {
    type: 'string',
    value: 'URL',
    doc: "URL of the server's console. Default: `console` beside the base URL, as the reference server has it.",
  },
}

/** Three of the server's pings. */
const silenceMs = 45_000
const timeoutMs = 60_000

/** The JSON API of the console, as docs/console.md has it. */
export class ConsoleApi {
  readonly url: string
  readonly #server: FhirServer

  /** @throws TopicDestinationError `KTD_REQUEST` when there is no URL */
  constructor(call: CommandCall) {
    this.#server = new FhirServer(call)
    const given = call.options.text('console')
    if (given !== undefined && !URL.canParse(given)) {
      throw new TopicDestinationError('KTD_REQUEST', `--console ${given} is no URL.`)
    }
    this.url = (given ?? consoleUrl(this.#server.baseUrl)).replace(/\/+$/, '')
  }

  /** @throws FhirRequestError unless it has it */
  async check(path: string): Promise<void> {
    const answer = await this.#open(path, 'application/json', AbortSignal.timeout(timeoutMs))
    await answer.body?.cancel()
  }

  /** Connects, and answers what a route sends until the stream ends; it is ended when it is silent for longer than the server's pings allow.
   *  @throws FhirRequestError also while it is read */
  async stream(path: string, stopped?: AbortSignal): Promise<AsyncIterable<ServerSentEvent>> {
    const silent = new AbortController()
    const timer = setTimeout(() => {
      silent.abort(new Error(`nothing has come for ${silenceMs / 1000} seconds`))
    }, silenceMs)
    // It must not hold the process when nobody reads on.
    timer.unref()
    const signal = AbortSignal.any([silent.signal, ...(stopped ? [stopped] : [])])
    const { body } = await this.#open(path, 'text/event-stream', signal)
    return this.#read(body, timer)
  }

  async *#read(body: Response['body'], timer: NodeJS.Timeout): AsyncGenerator<ServerSentEvent> {
    try {
      if (body) yield* serverSentEvents(body, () => timer.refresh())
    } catch (error) {
      const why = `The stream of ${this.url} has broken off: ${fetchFailure(error)}`
      throw new FhirRequestError(why, true, error)
    } finally {
      clearTimeout(timer)
    }
  }

  async #open(path: string, type: string, signal: AbortSignal): Promise<Response> {
    const url = `${this.url}/api${path}`
    const headers = { accept: type, ...this.#server.authorization }
    try {
      const answer = await fetch(url, { headers, signal })
      if (answer.ok && answer.headers.get('content-type')?.startsWith(type)) return answer
      throw refused(this.url, url, answer, await answer.text())
    } catch (error) {
      throw error instanceof FhirRequestError ? error : unreachable(url, error)
    }
  }
}

function refused(
  consoleAddress: string,
  url: string,
  answer: Response,
  text: string,
): FhirRequestError {
  const why = parsed(text)?.['error']
  const isOfConsole = typeof why === 'string'
  if (!isOfConsole && (answer.ok || answer.status === 404)) {
    return new FhirRequestError(
      `There is no console at ${consoleAddress}, whose live tail is shown here: the server has none, or --console says where it is.`,
      false,
    )
  }
  return refusal(`GET ${url}`, answer, isOfConsole ? why : '')
}
