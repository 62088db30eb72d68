import type { Change, FhirHost, SqlTx } from '../host/types.ts'
import { isJsonObject } from '../resources/json-shapes.ts'
import { organizationOf } from '../resources/organization.ts'
import { readReferences, resourcesAfter, type KnownResources } from './read-references.ts'

/** The organization of a change and all above it, as `Organization/<id>`; empty when it has none. Or why that is not known. */
export type Membership =
  | {
      readonly organizations: ReadonlySet<string>
      readonly error?: undefined
      readonly isTransient?: undefined
    }
  | {
      readonly error: string
      /** A read may succeed another time. Otherwise it stays unknown until somebody corrects what is stored. */
      readonly isTransient: boolean
      readonly organizations?: undefined
    }

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
  const own = changes.map(({ current, previous }) => {
    const resource = current ?? previous
    return resource && { organization: organizationOf(resource) }
  })
  const known = resourcesAfter(unitChanges)
  for (let level = 0; ; level++) {
    const chains = own.map((each) => (each ? chainAbove(each.organization, known) : unknownChain))
    const missing = [...new Set(chains.flatMap(({ next }) => next ?? []))]
    if (missing.length === 0) return chains.map((chain) => membershipOf(chain, '', false))
    if (level === maxLevels) {
      const error = `The hierarchy of organizations has more than ${maxLevels} levels.`
      return chains.map((chain) => membershipOf(chain, error, false))
    }
    const failure = await readReferences(known, missing, tx, read)
    if (failure !== undefined) {
      return chains.map((chain) => membershipOf(chain, failure, read !== undefined))
    }
  }
}

/** @param openBecause why a chain that is open cannot be read further
 *  @param isTransient whether it may be another time */
function membershipOf(
  { organizations, next, fault }: Chain,
  openBecause: string,
  isTransient: boolean,
): Membership {
  if (fault !== undefined) return { error: fault, isTransient: false }
  return next === undefined ? { organizations } : { error: openBecause, isTransient }
}

interface Chain {
  readonly organizations: ReadonlySet<string>
  /** To be read before the chain goes on. */
  readonly next: string | undefined
  /** Why it cannot be known. */
  readonly fault?: string
}

/** A host may leave the version before a delete out where nobody asks for it; a destination that came since may ask. */
const unknownChain: Chain = {
  organizations: new Set(),
  next: undefined,
  fault: 'The organization of what was deleted is not known.',
}

/** As far as it is known. An organization that is part of itself ends the chain. */
function chainAbove(organization: string | undefined, known: KnownResources): Chain {
  const organizations = new Set<string>()
  let next = organization
  while (next !== undefined && !organizations.has(next)) {
    organizations.add(next)
    if (!known.has(next)) return { organizations, next }
    const partOf = known.get(next)?.['partOf']
    const written = isJsonObject(partOf) ? partOf['reference'] : undefined
    next = typeof written === 'string' ? relativeOrganization(written) : undefined
    if (written !== undefined && next === undefined) {
      return {
        organizations,
        next,
        fault: 'An Organization.partOf is not of the form Organization/<id>.',
      }
    }
  }
  return { organizations, next: undefined }
}

function relativeOrganization(reference: string): string | undefined {
  return /^Organization\/[A-Za-z0-9\-.]{1,64}(?=$|\/_history\/)/.exec(reference)?.[0]
}
