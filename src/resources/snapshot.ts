import type { ElementDefinition, ElementDefinitionConstraint } from '@medplum/fhirtypes'
import type { ElementSpec } from './element-spec.ts'

/** Type of `id` elements as FHIR R4 writes it: a System.String that JSON carries as the FHIR type. */
function systemString(fhirType: string): NonNullable<ElementDefinition['type']> {
  const url = 'http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type'
  return [
    { extension: [{ url, valueUrl: fhirType }], code: 'http://hl7.org/fhirpath/System.String' },
  ]
}

interface Place {
  /** Id of the parent; differs from its path inside a slice. */
  readonly id: string
  readonly path: string
}

type Change = Partial<ElementDefinition>

/** One element under `parent`. `base` is where FHIR defines it, by default at its own path. */
function child(
  parent: Place,
  name: string,
  [min, max]: readonly [number, string],
  doc: string,
  types: ElementDefinition['type'],
  change: Change = {},
): ElementDefinition {
  const path = `${parent.path}.${name}`
  return {
    id: `${parent.id}.${name}`,
    path,
    short: doc,
    definition: doc,
    min,
    max,
    base: { path, min, max },
    ...(types ? { type: types } : {}),
    ...change,
  }
}

/** The root and the elements that every resource with a narrative has (FHIR R4, Resource and DomainResource). */
export function rootElements(typeName: string, doc: string): ElementDefinition[] {
  const root: Place = { id: typeName, path: typeName }
  const from = (owner: string, name: string, min: number, max: string) => ({
    base: { path: `${owner}.${name}`, min, max },
  })
  const one = [0, '1'] as const
  const many = [0, '*'] as const
  return [
    {
      id: typeName,
      path: typeName,
      short: doc,
      definition: doc,
      min: 0,
      max: '*',
      base: { path: typeName, min: 0, max: '*' },
    },
    child(root, 'id', one, 'Logical id.', systemString('id'), from('Resource', 'id', 0, '1')),
    child(root, 'meta', one, 'Metadata.', [{ code: 'Meta' }], from('Resource', 'meta', 0, '1')),
    child(root, 'implicitRules', one, 'Rules under which this was written.', [{ code: 'uri' }], {
      ...from('Resource', 'implicitRules', 0, '1'),
      isModifier: true,
      isModifierReason: 'The rules may change the meaning of every element.',
    }),
    child(
      root,
      'language',
      one,
      'Language.',
      [{ code: 'code' }],
      from('Resource', 'language', 0, '1'),
    ),
    child(
      root,
      'text',
      one,
      'Narrative.',
      [{ code: 'Narrative' }],
      from('DomainResource', 'text', 0, '1'),
    ),
    child(
      root,
      'contained',
      many,
      'Contained resources.',
      [{ code: 'Resource' }],
      from('DomainResource', 'contained', 0, '*'),
    ),
    child(
      root,
      'extension',
      many,
      'Additional content.',
      [{ code: 'Extension' }],
      from('DomainResource', 'extension', 0, '*'),
    ),
    child(
      root,
      'modifierExtension',
      many,
      'Extensions that must not be ignored.',
      [{ code: 'Extension' }],
      {
        ...from('DomainResource', 'modifierExtension', 0, '*'),
        isModifier: true,
        isModifierReason: 'An extension of this kind may change the meaning of the resource.',
      },
    ),
  ]
}

/** Elements that every backbone element has (FHIR R4, Element and BackboneElement). */
export function backboneElements(parent: Place): ElementDefinition[] {
  return [
    child(
      parent,
      'id',
      [0, '1'],
      'Id for references within the resource.',
      systemString('string'),
      {
        base: { path: 'Element.id', min: 0, max: '1' },
      },
    ),
    child(parent, 'extension', [0, '*'], 'Additional content.', [{ code: 'Extension' }], {
      base: { path: 'Element.extension', min: 0, max: '*' },
    }),
    child(
      parent,
      'modifierExtension',
      [0, '*'],
      'Extensions that must not be ignored.',
      [{ code: 'Extension' }],
      {
        base: { path: 'BackboneElement.modifierExtension', min: 0, max: '*' },
        isModifier: true,
        isModifierReason: 'An extension of this kind may change the meaning of the element.',
      },
    ),
  ]
}

/** Definitions of an element and of everything below it.
 *  @param constraintPrefix first part of the keys of constraints */
export function elementDefinitions(
  parent: Place,
  spec: ElementSpec,
  constraintPrefix: string,
  change: Change = {},
): ElementDefinition[] {
  const { name, types, min, max, doc, codes, children } = spec
  const constraint = codes
    ? { constraint: [codeConstraint(`${constraintPrefix}-${name}`, name, codes)] }
    : {}
  const element = child(
    parent,
    name,
    [min, max],
    doc,
    types.map((code) => ({ code })),
    {
      ...constraint,
      ...change,
    },
  )
  if (!children) return [element]
  const place = { id: `${parent.id}.${name}`, path: `${parent.path}.${name}` }
  return [
    element,
    ...backboneElements(place),
    ...children.flatMap((below) => elementDefinitions(place, below, constraintPrefix)),
  ]
}

/** A rule in place of a required binding: validators without a terminology service check it too. */
function codeConstraint(
  key: string,
  name: string,
  codes: readonly string[],
): ElementDefinitionConstraint {
  return {
    key,
    severity: 'error',
    human: `${name} must be one of ${codes.join(', ')}.`,
    expression: `$this in (${codes.map((code) => `'${code}'`).join(' | ')})`,
  }
}
