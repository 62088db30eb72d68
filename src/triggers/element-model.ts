import {
  choiceTypePaths,
  path2Type as declaredTypes,
  pathsDefinedElsewhere,
  type2Parent,
} from 'fhirpath/fhir-context/r4'

/** A type as paths go through it: a FHIR type (`HumanName`), the path of an element without a type name of its own
 *  (`Patient.contact`), a FHIRPath type (`System.String`), or `*` where nothing is known. */
export type ElementType = string

export const anyType: ElementType = '*'

// The model's records are looked up with names from a client's text: no inherited key may answer.
const path2Type = new Map(Object.entries(declaredTypes))
const elsewhere = new Map(Object.entries(pathsDefinedElsewhere))
const choices = new Map(Object.entries(choiceTypePaths))
const parents = new Map(Object.entries(type2Parent))
const systemPrefix = 'http://hl7.org/fhirpath/'

export type Element =
  | { readonly kind: 'element'; readonly type: ElementType }
  /** `value` of `value[x]`. */
  | { readonly kind: 'choice' }
  /** `valueQuantity`, which FHIRPath writes `value.ofType(Quantity)`. */
  | { readonly kind: 'choice-name'; readonly type: ElementType; readonly write: string }

/** The element `name` of a type, inherited ones too. */
export function elementOf(type: ElementType, name: string): Element | undefined {
  for (const ancestor of lineage(type)) {
    const path = elsewhere.get(`${ancestor}.${name}`) ?? `${ancestor}.${name}`
    if (choices.has(path)) return { kind: 'choice' }
    const choice = choiceName(ancestor, name)
    if (choice) return choice
    const declared = path2Type.get(path)
    if (declared === undefined) continue
    const isAnonymous = declared === 'BackboneElement' || declared === 'Element'
    return {
      kind: 'element',
      type: isAnonymous ? path : declared.replace(systemPrefix, ''),
    }
  }
  return undefined
}

/** Names of all elements of a type, for suggestions. */
export function elementNames(type: ElementType): string[] {
  const names = new Set<string>()
  for (const ancestor of lineage(type)) {
    for (const path of [...path2Type.keys(), ...choices.keys()]) {
      const name = path.startsWith(`${ancestor}.`) ? path.slice(ancestor.length + 1) : ''
      if (name !== '' && !name.includes('.') && !choiceName(ancestor, name)) names.add(name)
    }
  }
  return [...names]
}

/** A type of FHIR R4, abstract ones and data types too. */
export function isFhirType(name: string): boolean {
  return parents.has(name) || name === 'Resource' || name === 'Element'
}

export function isResourceType(name: string): boolean {
  return lineage(name).includes('Resource')
}

/** Every resource type but Resource's own children Bundle, Binary and Parameters. A type unknown to R4 counts as one. */
export function isDomainResource(name: string): boolean {
  return !parents.has(name) || lineage(name).includes('DomainResource')
}

export function resourceTypeNames(): string[] {
  return [...parents.keys()].filter(isResourceType)
}

/** Without elements of its own but `id` and `extension`. */
export function isPrimitive(type: ElementType): boolean {
  return /^(System\.)|^[a-z]/.test(type)
}

const stringTypes: ReadonlySet<string> = new Set([
  ...['canonical', 'code', 'id', 'markdown', 'oid', 'string', 'uri', 'url', 'uuid'],
  'System.String',
])

/** Holds the path's values as plain strings in the JSON, compared character by character by FHIRPath's `=`. */
export function leadsToString(resourceType: string, steps: readonly string[]): boolean {
  let type: ElementType = resourceType
  for (const step of steps) {
    // Below a primitive the JSON is elsewhere: `birthDate.extension` is `_birthDate.extension`.
    if (isPrimitive(type)) return false
    const element = elementOf(type, step)
    // What R4 does not know is compared as it stands in the JSON, except in a resource of any type. `Resource` may be a step, too.
    if (!element) return type !== 'Resource' && type !== 'DomainResource' && !isFhirType(step)
    if (element.kind === 'choice') return false
    type = element.type
  }
  return stringTypes.has(type)
}

function choiceName(type: ElementType, name: string): Element | undefined {
  for (let end = name.length - 1; end > 0; end--) {
    const suffix = name.slice(end)
    if (!/^[A-Z]/.test(suffix)) continue
    const base = name.slice(0, end)
    if (!choices.get(`${type}.${base}`)?.includes(suffix)) continue
    const lower = suffix.charAt(0).toLowerCase() + suffix.slice(1)
    const ofType = isFhirType(suffix) ? suffix : lower
    return { kind: 'choice-name', type: ofType, write: `${base}.ofType(${ofType})` }
  }
  return undefined
}

function lineage(type: ElementType): ElementType[] {
  const types: ElementType[] = []
  // The path of an anonymous element has no entry of its own: it inherits from BackboneElement.
  let next: string | undefined = type
  while (next !== undefined) {
    types.push(next)
    next = parents.get(next) ?? (next.includes('.') ? 'BackboneElement' : undefined)
  }
  return types
}
