/** One element of a resource type, as the tables of the two types list it. */
export interface ElementSpec {
  /** Name as in FHIR, a choice with its `[x]`. */
  readonly name: string
  /** Types it may have; `BackboneElement` when it has children. */
  readonly types: readonly string[]
  readonly min: 0 | 1
  readonly max: '1' | '*'
  /** One sentence for definition and docs. */
  readonly doc: string
  /** Every code the element may hold. */
  readonly codes?: readonly string[]
  readonly children?: readonly ElementSpec[]
}

type SpecOptions = Pick<ElementSpec, 'codes'>

export function optional(
  name: string,
  type: string | readonly string[],
  doc: string,
  options: SpecOptions = {},
): ElementSpec {
  return { name, types: [type].flat(), min: 0, max: '1', doc, ...options }
}

export function required(
  name: string,
  type: string | readonly string[],
  doc: string,
  options: SpecOptions = {},
): ElementSpec {
  return { ...optional(name, type, doc, options), min: 1 }
}

export function list(
  name: string,
  type: string | readonly string[],
  doc: string,
  options: SpecOptions = {},
): ElementSpec {
  return { ...optional(name, type, doc, options), max: '*' }
}

export function requiredList(
  name: string,
  type: string | readonly string[],
  doc: string,
  options: SpecOptions = {},
): ElementSpec {
  return { ...list(name, type, doc, options), min: 1 }
}

/** The element with children instead of a type of its own. */
export function backbone(spec: ElementSpec, children: readonly ElementSpec[]): ElementSpec {
  return { ...spec, types: ['BackboneElement'], children }
}
