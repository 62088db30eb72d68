import { isDeepStrictEqual } from 'node:util'
import type { FhirResource } from '../host/types.ts'
import type { AllowedPlaces } from '../kafka/allowed-places.ts'
import { kafkaParameterNames, kafkaParameters } from '../kafka/parameter-table.ts'
import type { Logger } from '../observability/logger.ts'
import { secretNamesOf } from '../resources/parameter-content.ts'
import { Slices } from '../slices.ts'
import { parseTopicDestination, type TopicDestination } from '../resources/topic-destination.ts'
import type { SecretSource } from '../resources/secrets.ts'

/** What a stored destination says. */
interface StoredDestination {
  readonly resource: FhirResource
  readonly destination: TopicDestination | undefined
  readonly fault: string | undefined
  /** What stands outside of the resource, and may change there. */
  readonly secretNames: readonly string[]
  /** Of those secrets, when they were read. */
  readonly secretVersions: string
}

export interface StoredDestinationsParts extends AllowedPlaces {
  readonly secrets: SecretSource
  /** How often the files of secrets are looked at. */
  readonly secretCheckIntervalMs: number
  readonly logger: Logger
}

const secretParameters = kafkaParameterNames.filter((name) => kafkaParameters[name].secret)

/** The stored destinations as this node reads them, with their secrets of now. */
export class StoredDestinations {
  readonly #parts: StoredDestinationsParts
  readonly #byReference = new Map<string, StoredDestination>()
  #lookedAgainAtMs = Number.NEGATIVE_INFINITY

  constructor(parts: StoredDestinationsParts) {
    this.#parts = parts
  }

  clear(): void {
    this.#byReference.clear()
  }

  get(reference: string): Pick<StoredDestination, 'destination' | 'fault'> | undefined {
    return this.#byReference.get(reference)
  }

  /** `undefined`: it is gone. */
  put(reference: string, resource: FhirResource | undefined): void {
    if (resource) this.#byReference.set(reference, this.#read(resource))
    else this.#byReference.delete(reference)
  }

  /** A secret file may be there by now, or hold another password. Only destinations whose files have changed are read again: keys and
   *  certificates take a while.
   *
   *  One that worked keeps the secrets it has until it can use the new ones: a file that is being written is half there, and best effort
   *  would lose what comes meanwhile.
   *
   *  In slices, because thousands may share a secret.
   *  @returns whether a destination says something else than before */
  async lookAgain(nowMs: number): Promise<boolean> {
    if (nowMs - this.#lookedAgainAtMs < this.#parts.secretCheckIntervalMs) return false
    this.#lookedAgainAtMs = nowMs
    const known = new Map<string, string>()
    const slices = new Slices()
    let isOther = false
    for (const [reference, before] of this.#byReference) {
      if (before.secretNames.length === 0) continue
      if (this.#versionsOf(before.secretNames, known) === before.secretVersions) continue
      const now = this.#read(before.resource, known)
      const destination = now.destination ?? before.destination
      this.#byReference.set(reference, { ...now, destination })
      isOther ||= now.fault !== before.fault || !isDeepStrictEqual(destination, before.destination)
      this.#tellChange(reference, before.destination, now.destination)
      await slices.pause()
    }
    return isOther
  }

  /** That new secrets are used is as good to know as that they cannot be. Which ones, never what they are. */
  #tellChange(
    destination: string,
    before: TopicDestination | undefined,
    now: TopicDestination | undefined,
  ): void {
    if (!now) return
    const parameters = secretParameters.filter(
      (name) => !isDeepStrictEqual(now.parameters[name], before?.parameters[name]),
    )
    if (parameters.length === 0) return
    this.#parts.logger.info(
      { destination, parameters },
      'a destination uses the new content of its secrets',
    )
  }

  #read(resource: FhirResource, known = new Map<string, string>()): StoredDestination {
    const { secrets } = this.#parts
    const secretNames = secretNamesOf(resource)
    // First: what changes while it is read is another version the next time.
    const secretVersions = this.#versionsOf(secretNames, known)
    const read = { resource, secretNames, secretVersions }
    try {
      const destination = parseTopicDestination(resource, secrets, this.#parts)
      return { ...read, destination, fault: undefined }
    } catch (error) {
      const fault = error instanceof Error ? error.message : String(error)
      return { ...read, destination: undefined, fault }
    }
  }

  /** @param known versions that were looked at just now: many destinations share few secrets */
  #versionsOf(secretNames: readonly string[], known: Map<string, string>): string {
    return secretNames
      .map((name) => {
        const version = known.get(name) ?? this.#parts.secrets.version(name)
        known.set(name, version)
        return version
      })
      .join('; ')
  }
}
