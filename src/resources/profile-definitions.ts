import type {
  ElementDefinition,
  ElementDefinitionConstraint,
  StructureDefinition,
} from '@medplum/fhirtypes'
import {
  kafkaParameterNames,
  kafkaParameters,
  type KafkaParameterName,
} from '../kafka/parameter-table.ts'
import { profileNames, typeUrl, type ProfileName } from './canonical-urls.ts'
import { definitionHeader } from './definition-header.ts'
import type { DestinationKind } from './destination-kinds.ts'
import { parameterElements } from './destination-elements.ts'
import { backboneElements, elementDefinitions } from './snapshot.ts'
import { destinationDefinition } from './type-definitions.ts'
import { destinationTypeName } from './type-names.ts'

const parameterPath = `${destinationTypeName}.parameter`

const names: Readonly<Record<DestinationKind, { name: string; title: string; text: string }>> = {
  'kafka-best-effort': {
    name: 'KafkaBestEffortDestination',
    title: 'Kafka destination, best effort',
    text: 'Events are sent after COMMIT from memory; what cannot be sent is counted as lost.',
  },
  'kafka-at-least-once': {
    name: 'KafkaAtLeastOnceDestination',
    title: 'Kafka destination, at least once',
    text: 'Events are stored in the transaction of the write and sent in order until Kafka has them.',
  },
}

/** The two kinds under both generations of profile urls.
 *
 *  The slices say what a parameter takes and that it comes once. The constraints say the types again for validators that only count slices. */
export const destinationProfiles: readonly StructureDefinition[] = profileNames.map((profile) =>
  profileDefinition(profile),
)

function profileDefinition({ kind, generation, id, url }: ProfileName): StructureDefinition {
  const { name, title, text } = names[kind]
  const isCurrent = generation === 'since 2604'
  return {
    resourceType: 'StructureDefinition',
    id,
    url,
    name: isCurrent ? name : `${name}Before2604`,
    title: isCurrent ? title : `${title} (url used before Aidbox 2604)`,
    ...definitionHeader,
    description: text,
    fhirVersion: '4.0.1',
    kind: 'resource',
    abstract: false,
    type: destinationTypeName,
    baseDefinition: typeUrl(destinationTypeName),
    derivation: 'constraint',
    snapshot: { element: profileElements(kind) },
  }
}

function profileElements(kind: DestinationKind): ElementDefinition[] {
  const elements = destinationDefinition.snapshot?.element ?? []
  const afterParameter = elements.findLastIndex(({ path }) => path.startsWith(parameterPath)) + 1
  const constrained = elements.map((element): ElementDefinition => {
    if (element.path === `${destinationTypeName}.kind`) return { ...element, fixedCode: kind }
    if (element.path !== parameterPath) return element
    return {
      ...element,
      slicing: { discriminator: [{ type: 'value', path: 'name' }], rules: 'closed' },
      constraint: parameterConstraints(),
    }
  })
  return constrained.toSpliced(
    afterParameter,
    0,
    ...kafkaParameterNames.flatMap((name) => parameterSlice(name)),
  )
}

function parameterSlice(name: KafkaParameterName): ElementDefinition[] {
  const { required, doc } = kafkaParameters[name]
  const place = { id: `${parameterPath}:${name}`, path: parameterPath }
  return [
    {
      id: place.id,
      path: parameterPath,
      sliceName: name,
      short: doc,
      definition: doc,
      min: required ? 1 : 0,
      max: '1',
      base: { path: parameterPath, min: 1, max: '*' },
      type: [{ code: 'BackboneElement' }],
    },
    ...backboneElements(place),
    ...parameterElements.flatMap((spec) => {
      const change: Partial<ElementDefinition> =
        spec.name === 'name'
          ? { fixedString: name }
          : { min: 1, type: fhirTypes(name).map((code) => ({ code })) }
      return elementDefinitions(place, spec, 'atd', change)
    }),
  ]
}

function parameterConstraints(): ElementDefinitionConstraint[] {
  const known = kafkaParameterNames.map((name) => `'${name}'`).join(' | ')
  return [
    {
      key: 'atd-known',
      severity: 'error',
      human: `name must be one of ${kafkaParameterNames.join(', ')}.`,
      expression: `name in (${known})`,
    },
    {
      key: 'atd-value',
      severity: 'error',
      human: 'Every parameter needs a value.',
      expression: 'value.exists()',
    },
    ...kafkaParameterNames.map((name) => typeConstraint(name)),
  ]
}

function typeConstraint(name: KafkaParameterName): ElementDefinitionConstraint {
  const types = fhirTypes(name)
  return {
    key: `atd-${name}`,
    severity: 'error',
    human: `${name} must be one of ${kafkaParameters[name].fhirTypes.join(', ')}.`,
    expression: `name = '${name}' implies (${types.map((type) => `value.is(${type})`).join(' or ')})`,
  }
}

/** FHIR types that a parameter takes, the documented one first: `valueUnsignedInt` is `unsignedInt`. */
function fhirTypes(name: KafkaParameterName): readonly string[] {
  const { fhirTypes: valueNames, canonicalFhirType } = kafkaParameters[name]
  const inOrder = [canonicalFhirType, ...valueNames.filter((other) => other !== canonicalFhirType)]
  return inOrder.map((valueName) => {
    const type = valueName.slice('value'.length)
    return type.charAt(0).toLowerCase() + type.slice(1)
  })
}
