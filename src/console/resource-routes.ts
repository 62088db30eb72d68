import { isTopicDestinationError } from '../errors.ts'
import { maskSecrets } from '../resources/secret-parameters.ts'
import { destinationTypeName } from '../resources/type-names.ts'
import { assertMaySee, assertSeesAll } from './caller-view.ts'
import { ConsoleError } from './console-error.ts'
import { fhirResource } from './fhir-calls.ts'
import { pageQuery } from './route-input.ts'
import type { ConsoleRoute } from './routes.ts'
import { topologyView } from './topology-view.ts'

const referencePattern =
  /^[A-Z][A-Za-z]{0,63}\/[A-Za-z0-9\-.]{1,64}(?:\/_history\/[A-Za-z0-9\-.]{1,64})?$/

export const resourceRoutes: readonly ConsoleRoute[] = [
  {
    method: 'GET',
    path: '/nodes',
    right: 'read',
    doc: 'The nodes that are present, with how many destinations each delivers.',
    handle: async ({ caller }, { module }) => {
      assertSeesAll(caller)
      return { rows: await module.monitor.nodes() }
    },
  },
  {
    method: 'GET',
    path: '/health',
    right: 'read',
    doc: 'Whether the services of the Kafka cluster can talk through it, where the console is given a topology; else 404.',
    handle: async ({ caller }, { health }) => {
      assertSeesAll(caller)
      if (!health) throw new ConsoleError(404, 'There is no topology to look at.')
      try {
        return await health()
      } catch (error) {
        // Such as a file that does not say how, or a secret that cannot be read.
        if (isTopicDestinationError(error)) throw new ConsoleError(503, error.message)
        throw error
      }
    },
  },
  {
    method: 'GET',
    path: '/topology',
    query: pageQuery,
    right: 'read',
    doc: 'A page of the Kafka topics of the topology file, with the destinations that write to them, and its retry policies, where the console is given one; else 404. Asks no cluster.',
    handle: async (request, { topology }) => {
      assertSeesAll(request.caller)
      if (!topology) throw new ConsoleError(404, 'There is no topology to look at.')
      return topologyView(topology, await request.overview(), request)
    },
  },
  {
    method: 'GET',
    path: '/resource',
    query: { reference: '`Patient/1` or `Patient/1/_history/2`.' },
    right: 'read',
    doc: 'A resource, read on the FHIR server as the caller, secrets masked; 403 or 404 as that answers.',
    handle: async (request, parts) => {
      const reference = request.query.get('reference') ?? ''
      if (!referencePattern.test(reference)) {
        throw new ConsoleError(400, 'reference must be like Patient/1 or Patient/1/_history/2.')
      }
      await assertMaySee(request, parts, reference.replace(/\/_history\/.*$/, ''))
      const url = `/${reference}`
      const resource = await fhirResource(parts.fhir, request.caller, { method: 'GET', url })
      return resource.resourceType === destinationTypeName ? maskSecrets(resource) : resource
    },
  },
]
