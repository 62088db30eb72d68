import type { FhirResource } from '../../host/types.ts'
import { isJsonObject } from '../../resources/json-shapes.ts'
import { badRequestError } from '../outcomes.ts'
import { checkSyntax } from '../../triggers/criteria-check.ts'
import { compileExpression } from '../../triggers/expression.ts'
import { References } from '../../triggers/references.ts'
import { elementSpec, memberSpec } from './element-spec.ts'
import { pathModel } from './path-model.ts'

/** A part of the resource that is patched in place, or one to come. */
export type MutableObject = Record<string, unknown>

/** Where an element stands in the JSON of its resource. */
export interface ElementLocation {
  /** The object that the element is a member of, and its FHIR type. */
  readonly parent: MutableObject
  readonly parentType: string
  /** Name of the member: of `value[x]`, `valueString`. */
  readonly key: string
  /** Place in the list, for one that repeats. */
  readonly index: number | undefined
}

/** What a path leads to: the resource itself, or elements in it. */
export interface Located {
  readonly isRoot: boolean
  readonly locations: readonly ElementLocation[]
}

const maxWork = 200_000
// Of one path, to be parsed and checked.
const workOfPath = 20

/** Bounds all paths of a patch together: each is bounded, but a body has room for very many. */
export class PatchWork {
  #spent = 0

  /** @throws OperationOutcomeError 400 */
  spend(work: number): void {
    this.#spent += work
    if (this.#spent > maxWork) {
      throw badRequestError('The FHIRPath Patch takes too many steps.', 'too-costly')
    }
  }
}

/** Elements at a FHIRPath, which is bounded like a criteria.
 *  @throws OperationOutcomeError 400 when it is the one too many for the patch
 *  @returns undefined when the path is not valid or leads to something computed */
export function locateElements(
  resource: FhirResource,
  path: string,
  work: PatchWork,
): Located | undefined {
  const nodes = evaluatePath(resource, path, work)
  if (!nodes) return undefined
  if (nodes.length === 1 && nodes[0]?.parentResNode === null) return { isRoot: true, locations: [] }
  const locations = nodes.flatMap((node) => locationOf(resource, stepsOf(node)) ?? [])
  return locations.length === nodes.length ? { isRoot: false, locations } : undefined
}

/** fhirpath.js's wrapper around an element of a resource. */
interface ElementNode {
  readonly parentResNode: ElementNode | null
  readonly propName: string | null
  readonly index: number | null
}

function evaluatePath(
  resource: FhirResource,
  path: string,
  work: PatchWork,
): ElementNode[] | undefined {
  work.spend(workOfPath)
  if (checkSyntax(path).issues.some(({ severity }) => severity === 'error')) return undefined
  const { resourceType, id = '' } = resource
  const expression = compileExpression(path, { model: pathModel(resourceType) })
  const fuel = expression.fuel()
  const change = { interaction: 'create', resourceType, id, current: resource } as const
  let result: readonly unknown[] = []
  let isValid = true
  try {
    result = expression.evaluate(change, new References(new Map()), fuel)
  } catch {
    // Texts of fhirpath.js quote the resource; that the path cannot be used is all that is told.
    isValid = false
  }
  work.spend(fuel.steps)
  return isValid && result.every(isElementNode) ? [...result] : undefined
}

function isElementNode(item: unknown): item is ElementNode {
  return typeof item === 'object' && item !== null && 'parentResNode' in item && 'propName' in item
}

interface Step {
  readonly name: string
  readonly index: number | undefined
}

function stepsOf(node: ElementNode): Step[] {
  const steps: Step[] = []
  for (let at = node; at.parentResNode; at = at.parentResNode) {
    steps.unshift({ name: at.propName ?? '', index: at.index ?? undefined })
  }
  return steps
}

function locationOf(resource: FhirResource, steps: readonly Step[]): ElementLocation | undefined {
  let parent = resource as MutableObject
  let parentType = resource.resourceType
  let location: ElementLocation | undefined
  for (const { name, index } of steps) {
    if (location) {
      const child = childOf(location)
      if (!child) return undefined
      parentType = typeOf(child, location)
      parent = child
    }
    const key = memberOf(parent, parentType, name)
    if (key === undefined) return undefined
    location = { parent, parentType, key, index }
  }
  return location
}

/** The object that an element is; for a primitive, the one beside it that holds its extensions. */
function childOf({ parent, key, index }: ElementLocation): MutableObject | undefined {
  for (const name of [key, `_${key}`]) {
    const member = parent[name]
    const value: unknown =
      index === undefined ? member : Array.isArray(member) ? member[index] : undefined
    if (isJsonObject(value)) return value
  }
  return undefined
}

function memberOf(parent: MutableObject, parentType: string, name: string): string | undefined {
  if (Object.hasOwn(parent, name) || Object.hasOwn(parent, `_${name}`)) return name
  if (elementSpec(parentType, name)?.isChoice !== true) return undefined
  return Object.keys(parent).find(
    (key) => key.startsWith(name) && /^[A-Z]/.test(key.slice(name.length)),
  )
}

/** FHIR type of an object at a location; a contained resource says it itself. */
export function typeOf(object: MutableObject, { parentType, key }: ElementLocation): string {
  const type = object['resourceType']
  return typeof type === 'string' ? type : memberSpec(parentType, key).type
}
