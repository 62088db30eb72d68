import type { ServerResponse } from 'node:http'
import type { HttpRequest } from '../http/express.ts'
import { isJsonObject } from '../resources/json-shapes.ts'
import type { SessionView } from './api-views.ts'
import { ConsoleError, notAllowed } from './console-error.ts'
import type { ConsoleCaller, ConsoleOptions } from './console-options.ts'
import { SignInLimit } from './sign-in-limit.ts'

type SessionOptions = Pick<ConsoleOptions, 'signIn' | 'module' | 'health' | 'topology'>

/** Signs in and out, where the console has a sign-in of its own: `POST /api/session` with the secret in the body, `DELETE /api/session`. */
export class ConsoleSession {
  readonly #options: SessionOptions
  readonly #limit = new SignInLimit()

  constructor(options: SessionOptions) {
    this.#options = options
  }

  view({ mayWrite, maySee }: ConsoleCaller): SessionView {
    const { signIn, module, health, topology } = this.#options
    return {
      mayWrite,
      canSignOut: signIn !== undefined,
      operations: module.monitor.operations,
      seesAll: maySee === undefined,
      hasHealth: health !== undefined,
      hasTopology: topology !== undefined,
    }
  }

  /** @throws ConsoleError 400, 401, 404, 405, 429 */
  async change(request: HttpRequest, response: ServerResponse, body: unknown): Promise<void> {
    const { signIn } = this.#options
    if (!signIn) throw new ConsoleError(404, 'The console has no sign-in of its own.')
    const cookiePath = cookiePathOf(request, body)
    if (request.method === 'DELETE') {
      answer(response, signIn.close(cookiePath, request))
      return
    }
    if (request.method !== 'POST') throw notAllowed(['GET', 'HEAD', 'POST', 'DELETE'])
    const secret = isJsonObject(body) ? body['secret'] : undefined
    if (typeof secret !== 'string' || secret === '') {
      throw new ConsoleError(400, 'The body needs a secret.')
    }
    const succeeded = this.#limit.begin(addressOf(request), Date.now())
    const cookie = await signIn.open(secret, cookiePath, request)
    if (cookie === undefined)
      throw new ConsoleError(401, 'This is not the right token or password.')
    succeeded()
    answer(response, cookie)
  }
}

function addressOf({ ip, socket }: HttpRequest): string {
  return ip ?? socket.remoteAddress ?? ''
}

function answer(response: ServerResponse, cookie: string): void {
  response.statusCode = 204
  response.setHeader('set-cookie', cookie)
  response.end()
}

/** Where the browser sees the console: a proxy in front may have cut off the beginning of the path. */
function cookiePathOf(request: HttpRequest, body: unknown): string {
  const mounted = request.baseUrl ?? ''
  const seen = isJsonObject(body) ? body['path'] : undefined
  const isPath = typeof seen === 'string' && /^\/[\w\-.~%/]{0,500}$/.test(seen)
  return isPath && seen.endsWith(`${mounted}/`) ? seen : `${mounted}/`
}
