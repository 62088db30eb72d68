import { allOk } from '@medplum/core'
import type { FhirRepository, FhirRouter, FhirRouteHandler } from '@medplum/fhir-router'
import type { Operation, OperationRequest, Principal } from '../../host/types.ts'
import { operationInput } from '../../rest/operation-input.ts'

/** Adds the routes of an operation, which also serve entries of bundles. Any other method of its path answers 405. */
export function addOperationRoutes(
  router: FhirRouter,
  operation: Operation,
  principalOf: (repository: FhirRepository) => Principal | undefined,
): void {
  const path =
    operation.level === 'instance'
      ? `${operation.resourceType}/:id/$${operation.code}`
      : `${operation.resourceType}/$${operation.code}`
  for (const method of operation.methods) {
    const handler: FhirRouteHandler = async (request, repository) => {
      const { id } = request.params
      // The answer for a missing instance is the one that reading it would give.
      if (id !== undefined) await repository.readResource(operation.resourceType, id)
      const input = method === 'POST' ? operationInput(request.body) : undefined
      const principal = principalOf(repository)
      const operationRequest: OperationRequest = {
        method,
        ...(id === undefined ? {} : { id }),
        ...(input ? { input } : {}),
        ...(principal ? { principal } : {}),
      }
      const { outcome = allOk, resource } = await operation.handle(operationRequest)
      return resource ? [outcome, resource] : [outcome]
    }
    router.add(method, path, handler, 'operation')
  }
}
