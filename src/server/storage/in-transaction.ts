import type { FhirRepository } from '@medplum/fhir-router'
import type { Isolation } from '../../rest/storage/transactions.ts'

/** Does the work in one transaction of the repository.
 *
 *  From 5.1 on fhir-router asks for the types that a transaction will touch, too; the repository here has no use for them. */
export async function inTransaction<Result>(
  repository: FhirRepository,
  work: () => Promise<Result>,
  isolation: Isolation = {},
): Promise<Result> {
  const options: Isolation & { resourceTypes: [] } = { ...isolation, resourceTypes: [] }
  return repository.withTransaction(work, options)
}
