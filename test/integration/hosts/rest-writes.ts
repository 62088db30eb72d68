import type { FhirResource } from '../../../src/host/types.ts'
import type { HostWrites } from '../../../src/testing/index.ts'
import { FhirClient } from '../../helpers/fhir-client.ts'

/** Writes as a client of a server makes them. */
export function restWrites(baseUrl: string, headers: Record<string, string> = {}): HostWrites {
  const client = new FhirClient(baseUrl)
  return {
    create: async (resource) =>
      asResource(await client.ok('POST', `/${resource.resourceType}`, resource, headers)),
    update: async (resource) =>
      asResource(
        await client.ok('PUT', `/${resource.resourceType}/${resource.id}`, resource, headers),
      ),
    async delete(resourceType, id) {
      await client.ok('DELETE', `/${resourceType}/${id}`, undefined, headers)
    },
    patch: (resourceType, id, operations) =>
      client.ok('PATCH', `/${resourceType}/${id}`, operations, {
        ...headers,
        'content-type': 'application/json-patch+json',
      }),
  }
}

function asResource(body: Record<string, unknown>): FhirResource {
  return body as FhirResource
}
