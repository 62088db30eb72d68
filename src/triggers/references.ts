import { TopicDestinationError } from '../errors.ts'
import type { FhirResource } from '../host/types.ts'
import { criteriaLimits } from './criteria-language.ts'

/** Resources that `resolve()` can see, by relative reference (`Patient/123`). `undefined` as value: read, and not there.
 *  A reference that is not a key has not been read yet. */
export type ResolvedReferences = ReadonlyMap<string, FhirResource | undefined>

const relativeReference =
  /^([A-Z][A-Za-z]+\/[A-Za-z0-9\-.]{1,64})(?:\/_history\/[A-Za-z0-9\-.]{1,64})?$/

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

  /** A version-specific reference gives the current version, which is what a host can read in the write's transaction.
   *  Absolute urls, `urn:` and other servers give nothing.
   *
   *  @throws {@link TopicDestinationError} `KTD_CRITERIA` for too many references. */
  lookUp(reference: string): FhirResource | undefined {
    const key = relativeReference.exec(reference)?.[1]
    if (key === undefined) return undefined
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
