import type { Overview } from '../monitor/delivery-monitor.ts'
import { healths, type DestinationView } from '../monitor/views.ts'
import { objectsIn } from '../resources/json-shapes.ts'
import { parameterContent } from '../resources/parameter-content.ts'
import { maskSecrets } from '../resources/secret-parameters.ts'
import { destinationTypeName } from '../resources/type-names.ts'
import type {
  DestinationDetailView,
  DestinationSettingsView,
  DestinationsView,
  ListView,
  ParameterView,
} from './api-views.ts'
import { assertMaySee, mayKnow, maySee } from './caller-view.ts'
import { ConsoleError } from './console-error.ts'
import { fhirResource } from './fhir-calls.ts'
import {
  afterOf,
  idOf,
  isFound,
  listQuery,
  objectBody,
  pageOf,
  pageQuery,
  parametersBody,
  searchOf,
  sizeOf,
} from './route-input.ts'
import type { ConsoleRoute, RouteParts, RouteRequest } from './routes.ts'

/** Operations on a destination that the console offers, without `$`. */
export const destinationOperations = ['redrive', 'discard', 'replay', 'backfill', 'cancel'] as const

export const destinationRoutes: readonly ConsoleRoute[] = [
  {
    method: 'GET',
    path: '/destinations',
    query: { ...pageQuery, health: `Only those: ${healths.join(', ')}.` },
    right: 'read',
    isLive: true,
    doc: 'A page of destinations, the worst first, each with its counts and events a second over the last hour, and a summary of all.',
    handle: async (request, { module }) =>
      destinations(request, await request.overview(), (view) => module.monitor.withLastHour(view)),
  },
  {
    method: 'GET',
    path: '/destinations/:id',
    right: 'read',
    isLive: true,
    doc: 'A destination with its counts, errors and samples of the last hour.',
    handle: async (request, { module }): Promise<DestinationDetailView> => {
      const destination = await destinationOf(request)
      const topic = module.monitor.topicNames().find(({ url }) => url === destination.topicUrl)
      return {
        destination,
        ...(topic && maySee(request.caller, topic) ? { topicId: topic.id } : {}),
        series: module.monitor.series(destination.reference),
      }
    },
  },
  {
    method: 'GET',
    path: '/destinations/:id/settings',
    right: 'read',
    doc: 'Content and parameters of the stored resource, secrets masked, as far as the FHIR server lets the caller read it.',
    handle: settings,
  },
  {
    method: 'GET',
    path: '/destinations/:id/dead-letters',
    query: listQuery,
    right: 'read',
    doc: 'Dead letters without resource content, the newest first.',
    handle: async (request, { module }) => {
      const destination = await destinationOf(request)
      const page = { after: afterOf(request), limit: sizeOf(request) }
      const rows = await module.monitor.deadLetters(destination.reference, page)
      return listFor(request, destination, rows, ({ eventNumber }) => String(eventNumber))
    },
  },
  {
    method: 'GET',
    path: '/destinations/:id/undecided',
    query: listQuery,
    right: 'read',
    doc: "Undecided events of the destination's topic without resource content, the oldest first.",
    handle: async (request, { module }) => {
      const destination = await destinationOf(request)
      const page = { after: afterOf(request), limit: sizeOf(request) }
      const rows = await module.monitor.undecided(destination.reference, page)
      return listFor(request, destination, rows, ({ id }) => id)
    },
  },
  {
    method: 'GET',
    path: '/destinations/:id/status',
    right: 'read',
    doc: 'The answer of `$status`, a FHIR Parameters.',
    handle: async (request, parts) => {
      const url = `${await urlOf(request, parts)}/$status`
      return fhirResource(parts.fhir, request.caller, { method: 'GET', url })
    },
  },
  {
    method: 'POST',
    path: '/destinations/:id/status',
    right: 'write',
    doc: 'Pauses a destination (`{"status": "off"}`) or resumes it (`{"status": "active"}`), by a PATCH of the resource on the FHIR server.',
    handle: setStatus,
  },
  {
    method: 'POST',
    path: '/destinations/:id/operations/:code',
    right: 'write',
    doc: `Calls an operation of the destination (${destinationOperations.map((code) => `\`${code}\``).join(', ')}) with a FHIR Parameters, and answers what it answers.`,
    handle: async (request, parts) => {
      const code = destinationOperations.find((each) => each === request.params['code'])
      if (code === undefined) throw new ConsoleError(404, 'There is no such operation.')
      const body = parametersBody(request)
      const url = `${await urlOf(request, parts)}/$${code}`
      return fhirResource(parts.fhir, request.caller, { method: 'POST', url, body })
    },
  },
]

/** On the FHIR server, which need not know what the caller may see.
 *  @throws ConsoleError 404 */
async function urlOf(request: RouteRequest, parts: RouteParts): Promise<string> {
  const reference = `${destinationTypeName}/${idOf(request)}`
  await assertMaySee(request, parts, reference)
  return `/${reference}`
}

function destinations(
  request: RouteRequest,
  { summary, destinations: all }: Overview,
  withLastHour: (view: DestinationView) => DestinationsView['rows'][number],
): DestinationsView {
  const search = searchOf(request)
  const health = healths.find((each) => each === request.query.get('health')) ?? ''
  const found = all.filter(
    (view) =>
      (health === '' || view.health === health) &&
      isFound(search, view.id, view.topicUrl, view.kafkaTopic ?? ''),
  )
  const page = pageOf(found, request)
  return { ...page, rows: page.rows.map(withLastHour), summary, search, health }
}

async function destinationOf(request: RouteRequest): Promise<DestinationView> {
  const id = idOf(request)
  const { destinations: all } = await request.overview()
  const found = all.find((view) => view.id === id)
  if (found) return found
  throw new ConsoleError(404, `There is no destination ${id}.`)
}

/** What of a page the caller may know. It goes on behind the whole of it. */
function listFor<Row extends { readonly organization?: string }>(
  request: RouteRequest,
  destination: DestinationView,
  page: readonly Row[],
  nameOf: (row: Row) => string,
): ListView<Row> {
  const rows = page.filter(({ organization }) => mayKnow(request.caller, destination, organization))
  const hidden = page.length - rows.length
  const last = page.length < sizeOf(request) ? undefined : page.at(-1)
  return {
    rows,
    ...(hidden === 0 ? {} : { hidden }),
    ...(last ? { next: nameOf(last) } : {}),
  }
}

async function settings(
  request: RouteRequest,
  parts: RouteParts,
): Promise<DestinationSettingsView> {
  const url = await urlOf(request, parts)
  const stored = await fhirResource(parts.fhir, request.caller, { method: 'GET', url })
  // A server with `plainSecrets: 'echo'` answers them in clear.
  const resource = maskSecrets(stored)
  const { content } = resource
  return {
    ...(resource.meta?.versionId === undefined ? {} : { versionId: resource.meta.versionId }),
    content: typeof content === 'string' ? content : 'full-resource',
    parameters: objectsIn(resource['parameter']).map(parameterView),
  }
}

function parameterView(entry: Readonly<Record<string, unknown>>): ParameterView {
  const { value, secretNames, isMasked } = parameterContent(entry)
  const name = String(entry['name'])
  const [secretName] = secretNames
  if (secretName !== undefined) return { name, kind: 'secret-reference', value: secretName }
  if (isMasked) return { name, kind: 'masked' }
  return { name, kind: 'value', value: String(value) }
}

async function setStatus(request: RouteRequest, parts: RouteParts): Promise<unknown> {
  const { status } = objectBody(request)
  if (status !== 'active' && status !== 'off') {
    throw new ConsoleError(400, 'status must be active or off.')
  }
  await fhirResource(parts.fhir, request.caller, {
    method: 'PATCH',
    url: await urlOf(request, parts),
    contentType: 'application/json-patch+json',
    body: [{ op: 'add', path: '/status', value: status }],
  })
  return { status }
}
