import type { DestinationKind } from './destination-kinds.ts'
import { destinationTypeName } from './type-names.ts'

const core = 'http://health-samurai.io/fhir/core'

/** Canonical url of one of the module's two types. */
export function typeUrl(typeName: string): string {
  return `${core}/StructureDefinition/${typeName}`
}

/** Canonical url of a search parameter or operation of one of the types. */
export function artifactUrl(
  artifact: 'SearchParameter' | 'OperationDefinition',
  id: string,
): string {
  return `${core}/${artifact}/${id}`
}

/** One of the urls that `meta.profile` may hold. Both generations mean the same. */
export interface ProfileName {
  readonly kind: DestinationKind
  readonly generation: 'since 2604' | 'before 2604'
  /** Last segment of the url, and the id of the StructureDefinition. */
  readonly id: string
  readonly url: string
}

function profileName(
  kind: DestinationKind,
  generation: ProfileName['generation'],
  base: string,
  suffix: string,
): ProfileName {
  const id = `${destinationTypeName.toLowerCase()}-${suffix}`
  return { kind, generation, id, url: `${base}/StructureDefinition/${id}` }
}

/** The newer generation of each kind first. */
export const profileNames: readonly ProfileName[] = [
  profileName('kafka-best-effort', 'since 2604', core, 'kafkaBestEffortProfile'),
  profileName('kafka-best-effort', 'before 2604', 'http://aidbox.app', 'kafka-best-effort'),
  profileName('kafka-at-least-once', 'since 2604', core, 'kafkaAtLeastOnceProfile'),
  profileName('kafka-at-least-once', 'before 2604', 'http://aidbox.app', 'kafka-at-least-once'),
]

/** Says that a value is there but not shown. */
export const dataAbsentReasonUrl = 'http://hl7.org/fhir/StructureDefinition/data-absent-reason'

/** Names the secret of the vault configuration that stands for a value. */
export const secretReferenceUrl = 'http://health-samurai.io/fhir/secret-reference'
