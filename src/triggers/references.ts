import { TopicDestinationError } from '../errors.ts'
import type { FhirResource } from '../host/types.ts'
import { destinationTypeName, topicTypeName } from '../resources/type-names.ts'
import { criteriaLimits } from './criteria-language.ts'

/** Resources that `resolve()` can see, by relative reference (`Patient/123`). `undefined` as value: read, and not there.
 *  A reference that is not a key has not been read yet. */
export type ResolvedReferences = ReadonlyMap<string, FhirResource | undefined>

/** Nothing has been read yet. */
export const noReferences: ResolvedReferences = new Map()

const relativeReference =
  /^(([A-Z][A-Za-z]+)\/[A-Za-z0-9\-.]{1,64})(?:\/_history\/[A-Za-z0-9\-.]{1,64})?$/

/** Not to be looked into: a criteria on a stored destination would answer questions about its secrets, one event at a time. */
const closedTypes: ReadonlySet<string> = new Set([destinationTypeName, topicTypeName])

/** What one evaluation looks up, and what it could not find yet. */
export class References {
  readonly #resolved: ResolvedReferences
  readonly #asked = new Set<string>()
  readonly #missing = new Set<string>()

  constructor(resolved: ResolvedReferences) {
    this.#resolved = resolved
  }

  /** To be read before the evaluation is repeated. */
  get missing(): readonly string[] {
    return [...this.#missing]
  }

  /** The part of what one evaluation may resolve that is used up. */
  get share(): number {
    return this.#asked.size / criteriaLimits.maxReferences
  }

  /** A version-specific reference gives the current version, which is what a host can read in the write's transaction.
   *  Absolute urls, `urn:`, other servers and the module's own types give nothing.
   *
   *  @throws {@link TopicDestinationError} `KTD_CRITERIA` for too many references. */
  lookUp(reference: string): FhirResource | undefined {
    const [, key, type] = relativeReference.exec(reference) ?? []
    if (key === undefined || type === undefined || closedTypes.has(type)) return undefined
    this.#asked.add(key)
    if (this.#asked.size > criteriaLimits.maxReferences) {
      throw new TopicDestinationError(
        'KTD_CRITERIA',
        `The criteria was stopped: it resolves more than ${criteriaLimits.maxReferences} references.`,
      )
    }
    if (!this.#resolved.has(key)) this.#missing.add(key)
    return this.#resolved.get(key)
  }
}
