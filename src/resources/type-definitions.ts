import type { StructureDefinition } from '@medplum/fhirtypes'
import { typeUrl } from './canonical-urls.ts'
import { definitionHeader } from './definition-header.ts'
import { destinationElements } from './destination-elements.ts'
import type { ElementSpec } from './element-spec.ts'
import { elementDefinitions, rootElements } from './snapshot.ts'
import { topicElements } from './topic-elements.ts'
import { destinationTypeName, topicTypeName } from './type-names.ts'

export const topicDefinition: StructureDefinition = typeDefinition(
  topicTypeName,
  'Selects changes of resources: by type, interaction and FHIRPath.',
  'A topic that clients can subscribe to.',
  topicElements,
  'ast',
)

export const destinationDefinition: StructureDefinition = typeDefinition(
  destinationTypeName,
  'Says where the events of a topic are sent, and how.',
  'A place that the events of a topic are sent to.',
  destinationElements,
  'atd',
)

function typeDefinition(
  name: string,
  description: string,
  rootDoc: string,
  elements: readonly ElementSpec[],
  constraintPrefix: string,
): StructureDefinition {
  const place = { id: name, path: name }
  return {
    resourceType: 'StructureDefinition',
    id: name,
    url: typeUrl(name),
    name,
    title: name,
    ...definitionHeader,
    description,
    fhirVersion: '4.0.1',
    kind: 'resource',
    abstract: false,
    type: name,
    baseDefinition: 'http://hl7.org/fhir/StructureDefinition/DomainResource',
    derivation: 'specialization',
    snapshot: {
      element: [
        ...rootElements(name, rootDoc),
        ...elements.flatMap((spec) => elementDefinitions(place, spec, constraintPrefix)),
      ],
    },
  }
}
