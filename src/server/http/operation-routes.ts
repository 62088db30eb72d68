import { allOk } from '@medplum/core'
import type {
  FhirRepository,
  FhirRouter,
  FhirRouteHandler,
  FhirRequest,
} from '@medplum/fhir-router'
import type { Parameters } from '@medplum/fhirtypes'
import type { Operation, OperationRequest, Principal } from '../../host/types.ts'
import { badRequestError } from './outcomes.ts'

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
      const input = method === 'POST' ? inputOf(request) : undefined
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

/** @throws OperationOutcomeError `bad-request` when the body is neither Parameters nor empty */
function inputOf({ body }: FhirRequest): Parameters | undefined {
  const input: unknown = body
  if (input === undefined || input === null) return undefined
  if (typeof input === 'object') {
    if (Object.keys(input).length === 0) return undefined
    if ('resourceType' in input && input.resourceType === 'Parameters') return input as Parameters
  }
  throw badRequestError('The body of an operation must be a Parameters resource.', 'structure')
}
