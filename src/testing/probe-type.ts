import type {
  OperationDefinition,
  ResourceType,
  SearchParameter,
  StructureDefinition,
} from '@medplum/fhirtypes'
import type { FhirResource, ResourceTypeDefinition } from '../host/types.ts'
import { artifactUrl, typeUrl } from '../resources/canonical-urls.ts'
import { definitionHeader } from '../resources/definition-header.ts'
import { optional, required } from '../resources/element-spec.ts'
import { refusal } from '../resources/issue.ts'
import { operationDefinition } from '../resources/operation-definition.ts'
import { elementDefinitions, rootElements } from '../resources/snapshot.ts'

/** A resource type that no server knows before the suite registers it. */
export const probeTypeName = 'HostConformanceProbe'
export const probeOperationCode = 'probe'
export const probeTypeOperationCode = 'probe-type'

/** `label` that `validate` refuses. */
export const refusedLabel = 'refused'
/** What `toAnswer` puts in place of `secret`. */
export const maskedSecret = 'masked'
/** What `toStored` adds. */
export const storedMark = 'stored'

const place = { id: probeTypeName, path: probeTypeName }

const definition: StructureDefinition = {
  resourceType: 'StructureDefinition',
  id: probeTypeName,
  url: typeUrl(probeTypeName),
  name: probeTypeName,
  ...definitionHeader,
  description: 'What the conformance suite writes to see that a host serves registered types.',
  fhirVersion: '4.0.1',
  kind: 'resource',
  abstract: false,
  type: probeTypeName,
  baseDefinition: 'http://hl7.org/fhir/StructureDefinition/DomainResource',
  derivation: 'specialization',
  snapshot: {
    element: [
      ...rootElements(probeTypeName, 'A probe.'),
      ...[
        required('url', 'uri', 'What searches find it by.'),
        required('label', 'string', 'Any text.'),
        optional('secret', 'string', 'Stored, and masked in answers.'),
        optional('mark', 'string', 'Set by toStored.'),
      ].flatMap((spec) => elementDefinitions(place, spec, 'probe')),
    ],
  },
}

// The list of resource types in fhirtypes ends with those of FHIR R4.
const base = [probeTypeName as string as ResourceType]

const urlParameter: SearchParameter = {
  resourceType: 'SearchParameter',
  id: `${probeTypeName}-url`,
  url: artifactUrl('SearchParameter', `${probeTypeName}-url`),
  name: `${probeTypeName}Url`,
  ...definitionHeader,
  description: 'Url of the probe.',
  code: 'url',
  base,
  type: 'uri',
  expression: `${probeTypeName}.url`,
}

export interface ValidateCall {
  readonly resource: FhirResource
  readonly previous: FhirResource | undefined
}

/** @param calls what `validate` was asked */
export function probeType(calls: ValidateCall[]): ResourceTypeDefinition {
  return {
    definition,
    profiles: [],
    searchParameters: [urlParameter],
    interactions: ['create', 'read', 'update', 'delete', 'search-type'],
    validate(resource, previous) {
      calls.push({ resource, previous })
      if (resource['label'] !== refusedLabel) return []
      return [refusal('invalid', 'This label is refused.', `${probeTypeName}.label`)]
    },
    toStored: (resource) => ({ ...resource, mark: storedMark }),
    toAnswer: (resource) =>
      resource['secret'] === undefined ? resource : { ...resource, secret: maskedSecret },
  }
}

const onProbes = { resourceType: probeTypeName, name: `${probeTypeName}Operation` } as const

export const probeOperationDefinition: OperationDefinition = operationDefinition({
  code: probeOperationCode,
  ...onProbes,
  levels: ['instance'],
})
export const probeTypeOperationDefinition: OperationDefinition = operationDefinition({
  code: probeTypeOperationCode,
  ...onProbes,
  levels: ['type'],
})
