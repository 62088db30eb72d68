import type { ReferencesQuery } from './types.ts'

/** A page of references, of a host that has an order of ids within each type: by type and then by id.
 *
 *  @param types of the query, or all
 *  @param readIds ids of current resources of a type behind `after`, in their order, `limit` at most; `after` undefined: from the first on */
export async function referencesByType(
  { after = '', limit }: ReferencesQuery,
  types: readonly string[],
  readIds: (type: string, after: string | undefined, limit: number) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const [afterType = '', afterId] = after.split('/')
  const found: string[] = []
  for (const type of types.toSorted()) {
    if (type < afterType || found.length === limit) continue
    const afterHere = type === afterType ? afterId : undefined
    const ids = await readIds(type, afterHere, limit - found.length)
    found.push(...ids.map((id) => `${type}/${id}`))
  }
  return found
}
