import { notFound, OperationOutcomeError, type SearchRequest } from '@medplum/core'

/** Deletes; what is not there is as good as deleted.
 *  @param remove throws OperationOutcomeError `not-found` when there is nothing to delete */
export async function deleteIfPresent(remove: () => Promise<void>): Promise<void> {
  try {
    await remove()
  } catch (error) {
    const isMissing = error instanceof OperationOutcomeError && error.outcome.id === notFound.id
    if (!isMissing) throw error
  }
}

/** Where {@link deleteMatches} searches and deletes. */
export interface DeletableResources {
  readonly search: (
    request: SearchRequest,
  ) => Promise<readonly { readonly resourceType: string; readonly id?: string }[]>
  readonly delete: (resourceType: string, id: string) => Promise<void>
}

/** Deletes whatever matches; all or nothing when it is called in a transaction. A search answers one page, so it is repeated until it finds
 *  nothing. */
export async function deleteMatches(
  resources: DeletableResources,
  request: SearchRequest,
): Promise<void> {
  for (;;) {
    const matches = await resources.search({ ...request, offset: 0 })
    if (matches.length === 0) return
    for (const { resourceType, id = '' } of matches) await resources.delete(resourceType, id)
  }
}
