import type { Bundle } from '@medplum/fhirtypes'
import type { ResourceTypeDefinition } from '../host/types.ts'
import { isJsonObject, objectsIn } from '../resources/json-shapes.ts'
import { assertBeforeWrite } from '../rest/before-write.ts'
import { processBundle } from '../rest/bundles/bundle.ts'
import { parseJsonBody } from '../rest/request-body.ts'
import type { RequestBody } from '../rest/rest-request.ts'
import type { RestRequest } from '../rest/routing.ts'
import { routeOwnTypes, type RouteContext } from './routes.ts'

/** Whether a body is a batch or transaction whose entries all are about the module's types. One that mixes them with others is the
 *  host's: only the host can keep it in one transaction.
 *  @throws OperationOutcomeError `bad-request` for a body that names one of the types and is no JSON */
export function isOwnBundle(
  body: RequestBody,
  types: ReadonlyMap<string, ResourceTypeDefinition>,
  basePath: string,
): boolean {
  // Bundles of the host may be large and come often: only what names one of the types is parsed.
  if ('bytes' in body && ![...types.keys()].some((type) => body.bytes.includes(type))) return false
  const bundle = 'bytes' in body ? parseJsonBody(body.bytes, undefined) : body.parsed
  if (!isJsonObject(bundle) || bundle['resourceType'] !== 'Bundle') return false
  if (bundle['type'] !== 'batch' && bundle['type'] !== 'transaction') return false
  const entries = objectsIn(bundle['entry'])
  return (
    entries.length > 0 &&
    entries.every((entry) => types.has(typeOfEntry(entry['request'], basePath)))
  )
}

/** Type in the url of an entry: `AidboxTopicDestination/a`, with or without a slash or the path of the base before it. */
function typeOfEntry(request: unknown, basePath: string): string {
  const url = isJsonObject(request) ? request['url'] : undefined
  if (typeof url !== 'string') return ''
  const path = url.trim().replace(/^\/+/, '')
  const isBelow = basePath !== '' && path.startsWith(`${basePath}/`)
  const relative = isBelow ? path.slice(basePath.length).replace(/^\/+/, '') : path
  return /^[A-Za-z]+/.exec(relative)?.[0] ?? ''
}

/** Processes such a bundle as the reference server would. */
export function answerOwnBundle(
  request: RestRequest,
  context: RouteContext,
  {
    basePath,
    onFailure,
  }: { readonly basePath: string; readonly onFailure: (error: unknown) => void },
): Promise<Bundle> {
  const { types, store, operations, authorize, principal, isWithinTransaction } = context
  // isOwnBundle has looked at the form.
  return processBundle(request.body as Bundle, {
    types: {
      isServed: (type) => types.has(type),
      keepsId: (type) => types.has(type),
      interactionsOf: (type) => types.get(type)?.interactions ?? [],
    },
    store,
    operations,
    headers: request.headers,
    basePath,
    ...(authorize
      ? { authorize: async (interaction, type) => authorize(principal, interaction, type) }
      : {}),
    ...(isWithinTransaction
      ? {}
      : { beforeWrite: async (write) => assertBeforeWrite(types.get(write.resourceType), write) }),
    route: async (entry, options) => routeOwnTypes(entry, context, options),
    onFailure,
  })
}
