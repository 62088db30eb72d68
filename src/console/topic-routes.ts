import { topicTypeName } from '../resources/type-names.ts'
import type { TopicView } from '../monitor/views.ts'
import type { Page, TopicDetailView } from './api-views.ts'
import { assertMaySee, maySee } from './caller-view.ts'
import { ConsoleError } from './console-error.ts'
import { fhirResource } from './fhir-calls.ts'
import { idOf, isFound, pageOf, pageQuery, parametersBody, searchOf } from './route-input.ts'
import type { ConsoleRoute, RouteParts, RouteRequest } from './routes.ts'

export const topicRoutes: readonly ConsoleRoute[] = [
  {
    method: 'GET',
    path: '/topics',
    query: pageQuery,
    right: 'read',
    isLive: true,
    doc: 'A page of topics by url, with their triggers and how many events their destinations have got.',
    handle: async (request, { module: { monitor } }): Promise<Page<TopicView>> => {
      const search = searchOf(request)
      const found = monitor
        .topicNames()
        .filter((name) => isFound(search, name.url, name.id) && maySee(request.caller, name))
      const page = pageOf(found, request)
      const overview = await request.overview()
      return { ...page, rows: page.rows.flatMap(({ url }) => monitor.topic(url, overview) ?? []) }
    },
  },
  {
    method: 'GET',
    path: '/topics/:id',
    right: 'read',
    isLive: true,
    doc: 'A topic with its destinations.',
    handle: async (request, { module: { monitor } }): Promise<TopicDetailView> => {
      const id = idOf(request)
      const overview = await request.overview()
      const name = monitor.topicNames().find((each) => each.id === id)
      const topic =
        name && maySee(request.caller, name) ? monitor.topic(name.url, overview) : undefined
      if (!topic) throw new ConsoleError(404, `There is no topic ${id}.`)
      const destinations = overview.destinations.filter(({ topicUrl }) => topicUrl === topic.url)
      return { topic, destinations }
    },
  },
  ...(['explain', 'dry-run'] as const).map((code): ConsoleRoute => ({
    method: 'POST',
    path: `/topics/:id/${code}`,
    right: 'read',
    doc: `Calls \`$${code}\` of the topic with a FHIR Parameters, and answers what it answers. The FHIR server decides what the caller may ask.`,
    handle: (request, parts) => callOperation(code, request, parts),
  })),
]

async function callOperation(
  code: string,
  request: RouteRequest,
  parts: RouteParts,
): Promise<unknown> {
  const body = parametersBody(request)
  const reference = `${topicTypeName}/${idOf(request)}`
  await assertMaySee(request, parts, reference)
  const url = `/${reference}/$${code}`
  return fhirResource(parts.fhir, request.caller, { method: 'POST', url, body })
}
