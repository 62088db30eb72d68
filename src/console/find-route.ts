import { ConsoleError, notAllowed } from './console-error.ts'
import { consoleRoutes, type ConsoleRoute } from './routes.ts'

export interface FoundRoute {
  readonly route: ConsoleRoute
  readonly params: Readonly<Record<string, string>>
}

/** @param path below /api, as it came
 *  @throws ConsoleError 404, 405 */
export function findRoute(method: string | undefined, path: string): FoundRoute {
  const segments = path.split('/').map(decode)
  const matching = consoleRoutes.flatMap((route) => {
    const params = paramsOf(route.path.split('/'), segments)
    return params ? [{ route, params }] : []
  })
  const found = matching.find(({ route }) => route.method === method)
  if (found) return found
  if (matching.length > 0) {
    throw notAllowed(
      matching.flatMap(({ route }) => (route.method === 'GET' ? ['GET', 'HEAD'] : [route.method])),
    )
  }
  throw new ConsoleError(404, 'There is no such address.')
}

function paramsOf(
  template: readonly string[],
  segments: readonly string[],
): Record<string, string> | undefined {
  if (template.length !== segments.length) return undefined
  const params: Record<string, string> = {}
  for (const [index, part] of template.entries()) {
    const segment = segments[index] ?? ''
    if (part.startsWith(':')) params[part.slice(1)] = segment
    else if (part !== segment) return undefined
  }
  return params
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new ConsoleError(400, 'The path of the URL is not correctly percent-encoded.')
  }
}
