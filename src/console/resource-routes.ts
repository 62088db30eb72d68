import { ConsoleError } from './console-error.ts'
import { fhirResource } from './fhir-calls.ts'
import type { ConsoleRoute } from './routes.ts'

const referencePattern =
  /^[A-Z][A-Za-z]{0,63}\/[A-Za-z0-9\-.]{1,64}(?:\/_history\/[A-Za-z0-9\-.]{1,64})?$/

export const resourceRoutes: readonly ConsoleRoute[] = [
  {
    method: 'GET',
    path: '/nodes',
    right: 'read',
    doc: 'The nodes that are present, with how many destinations each delivers.',
    handle: async (_request, { module }) => ({ rows: await module.monitor.nodes() }),
  },
  {
    method: 'GET',
    path: '/health',
    right: 'read',
    doc: 'Whether the services of the Kafka cluster can talk through it, where the console is given a topology; else 404.',
    handle: async (_request, { health }) => {
      if (!health) throw new ConsoleError(404, 'There is no topology to look at.')
      return health()
    },
  },
  {
    method: 'GET',
    path: '/resource',
    query: { reference: '`Patient/1` or `Patient/1/_history/2`.' },
    right: 'read',
    doc: 'A resource, read on the FHIR server as the caller; 403 or 404 as that answers.',
    handle: (request, { fhir }) => {
      const reference = request.query.get('reference') ?? ''
      if (!referencePattern.test(reference)) {
        throw new ConsoleError(400, 'reference must be like Patient/1 or Patient/1/_history/2.')
      }
      return fhirResource(fhir, request.caller, { method: 'GET', url: `/${reference}` })
    },
  },
]
