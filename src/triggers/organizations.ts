import type { Change, FhirHost, SqlTx } from '../host/types.ts'
import { isJsonObject } from '../resources/json-shapes.ts'
import { organizationOf } from '../resources/organization.ts'
import { readReferences, resourcesAfter, type KnownResources } from './read-references.ts'

/** The organization of a change and all above it, as `Organization/<id>`; empty when it has none. Or why that is not known. */
export type Membership =
  | { readonly organizations: ReadonlySet<string>; readonly error?: undefined }
  | { readonly error: string; readonly organizations?: undefined }

/** Deeper than any real hierarchy; each level costs one read. */
const maxLevels = 32

/** Memberships of some changes of a unit, in their order, by `Organization.partOf` as the write's transaction sees it: one batched read
 *  per level. A delete counts for the organization of what was deleted.
 *
 *  @param unitChanges All changes of the unit: they may have changed the hierarchy itself. */
export async function readMemberships(
  changes: readonly Change[],
  unitChanges: readonly Change[],
  tx: SqlTx | undefined,
  read: FhirHost['read'] | undefined,
): Promise<readonly Membership[]> {
  const own = changes.map(({ current, previous }) => organizationOf(current ?? previous))
  const known = resourcesAfter(unitChanges)
  for (let level = 0; level <= maxLevels; level++) {
    const chains = own.map((organization) => chainAbove(organization, known))
    const missing = [...new Set(chains.flatMap(({ next }) => next ?? []))]
    if (missing.length === 0) return chains.map(({ organizations }) => ({ organizations }))
    const failure = await readReferences(known, missing, tx, read)
    if (failure !== undefined) return own.map(() => ({ error: failure }))
  }
  const error = `The hierarchy of organizations has more than ${maxLevels} levels.`
  return own.map(() => ({ error }))
}

interface Chain {
  readonly organizations: ReadonlySet<string>
  /** To be read before the chain goes on. */
  readonly next: string | undefined
}

/** As far as it is known. An organization that is part of itself ends the chain. */
function chainAbove(organization: string | undefined, known: KnownResources): Chain {
  const organizations = new Set<string>()
  let next = organization
  while (next !== undefined && !organizations.has(next)) {
    organizations.add(next)
    if (!known.has(next)) return { organizations, next }
    next = partOf(known.get(next)?.['partOf'])
  }
  return { organizations, next: undefined }
}

function partOf(reference: unknown): string | undefined {
  const written = isJsonObject(reference) ? reference['reference'] : undefined
  const [found] = typeof written === 'string' ? (/^Organization\/[^/]+/.exec(written) ?? []) : []
  return found
}
