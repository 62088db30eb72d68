import type { FhirRepository, FhirRouter, FhirRouteHandler } from '@medplum/fhir-router'
import type { Operation, Principal } from '../../host/types.ts'
import { answerOperation } from '../../rest/operations.ts'

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
    const handler: FhirRouteHandler = async ({ params, body }, repository) =>
      answerOperation(
        operation,
        { method, id: params['id'], body, principal: principalOf(repository) },
        (id) => repository.readResource(operation.resourceType, id),
      )
    router.add(method, path, handler, 'operation')
  }
}
