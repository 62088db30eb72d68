import type { FhirResource } from '../../host/types.ts'
import { isJsonObject } from '../../resources/json-shapes.ts'
import {
  locateElements,
  PatchWork,
  typeOf,
  type ElementLocation,
  type MutableObject,
} from './element-location.ts'
import { elementSpec, memberSpec } from './element-spec.ts'
import { OperationParts, partsOf, valueIn, type Part } from './operation-parts.ts'
import { badRequestError } from '../outcomes.ts'

/** Applies a FHIRPath Patch (https://hl7.org/fhir/R4/fhirpatch.html) to a resource, which it changes. Whether the result is a
 *  valid resource is for the caller to see.
 *  @throws OperationOutcomeError 400 when it is no such patch, 422 when the resource is not as it needs it */
export function applyFhirPathPatch(
  resource: FhirResource,
  { parameter = [] }: { readonly parameter?: unknown },
): FhirResource {
  if (!Array.isArray(parameter)) throw badRequestError('parameter must be a list.', 'structure')
  const work = new PatchWork()
  for (const [operationNo, operation] of parameter.entries()) {
    applyOperation(resource, new OperationParts(operation, operationNo), work)
  }
  return resource
}

function applyOperation(resource: FhirResource, parts: OperationParts, work: PatchWork): void {
  const located = locateElements(resource, parts.string('path'), work)
  if (!located) throw parts.invalid('its path must be FHIRPath to elements of the resource')
  const { isRoot, locations } = located
  const type = parts.string('type')
  if (type === 'add') {
    add(isRoot ? rootOf(resource) : objectAt(only(locations, parts), parts), parts)
    return
  }
  if (isRoot) throw parts.unfit('its path is the resource itself')
  if (type === 'insert') insert(locations, parts)
  else if (type === 'delete') {
    // What is not there needs no deletion.
    if (locations.length > 0) remove(only(locations, parts))
  } else if (type === 'replace') replace(only(locations, parts), parts)
  else if (type === 'move') move(locations, parts)
  else throw parts.invalid('its type must be add, insert, delete, replace or move')
}

/** An object and the FHIR type that it has. */
interface TypedObject {
  readonly object: MutableObject
  readonly type: string
}

function rootOf(resource: FhirResource): TypedObject {
  return { object: resource, type: resource.resourceType }
}

function objectAt(location: ElementLocation, parts: OperationParts): TypedObject {
  const { parent, key, index } = location
  const member = parent[key]
  const object: unknown =
    index === undefined ? member : Array.isArray(member) ? member[index] : undefined
  if (!isJsonObject(object)) throw parts.unfit('its path leads to a primitive value')
  return { object, type: typeOf(object, location) }
}

function add(target: TypedObject, parts: OperationParts): void {
  addMember(target, parts.string('name'), parts.value(), parts)
}

function insert(locations: readonly ElementLocation[], parts: OperationParts): void {
  const { list, shadow, type } = listOf(locations, parts)
  const index = parts.index('index', list.length)
  list.splice(index, 0, jsonOf(parts.value(), type, parts))
  shadow?.splice(index, 0, null)
}

function remove({ parent, key, index }: ElementLocation): void {
  for (const name of [key, `_${key}`]) {
    const member = parent[name]
    if (index === undefined) delete parent[name]
    else if (Array.isArray(member)) {
      member.splice(index, 1)
      if (member.length === 0) delete parent[name]
    }
  }
}

function replace({ parent, parentType, key, index }: ElementLocation, parts: OperationParts): void {
  const { type, choice } = memberSpec(parentType, key)
  const value = parts.value()
  const list = parent[key]
  if (index !== undefined && Array.isArray(list)) list[index] = jsonOf(value, type, parts)
  else if (choice === undefined) parent[key] = jsonOf(value, type, parts)
  else {
    // Its name may become another one: valueString, valueCode.
    delete parent[key]
    delete parent[`_${key}`]
    addMember({ object: parent, type: parentType }, choice, value, parts)
  }
}

function move(locations: readonly ElementLocation[], parts: OperationParts): void {
  const { list, shadow } = listOf(locations, parts)
  const source = parts.index('source', list.length - 1)
  const destination = parts.index('destination', list.length - 1)
  for (const each of shadow ? [list, shadow] : [list]) {
    each.splice(destination, 0, ...each.splice(source, 1))
  }
}

function only(locations: readonly ElementLocation[], parts: OperationParts): ElementLocation {
  const [location, ...others] = locations
  if (!location) throw parts.unfit('there is nothing at its path')
  if (others.length > 0) throw parts.unfit('its path leads to several elements')
  return location
}

interface ElementList {
  readonly list: unknown[]
  /** Ids and extensions of a list of primitives, item by item. */
  readonly shadow: unknown[] | undefined
  readonly type: string
}

/** The list that all elements at a path are items of. */
function listOf(locations: readonly ElementLocation[], parts: OperationParts): ElementList {
  const [first] = locations
  if (!first) throw parts.unfit('there is no list at its path')
  const { parent, parentType, key } = first
  const list = parent[key]
  const isOneList = locations.every((each) => each.parent === parent && each.key === key)
  if (!isOneList || !Array.isArray(list)) throw parts.unfit('its path leads to no single list')
  const shadow = parent[`_${key}`]
  return {
    list,
    shadow: Array.isArray(shadow) ? shadow : undefined,
    type: memberSpec(parentType, key).type,
  }
}

/** Adds an element to an object; to the end of the list, where it repeats. */
function addMember(
  { object, type }: TypedObject,
  name: string,
  part: Part,
  parts: OperationParts,
): void {
  const spec = elementSpec(type, name)
  if (!spec && memberSpec(type, name).choice === undefined) {
    throw parts.unfit('the element at its path has no such child')
  }
  const key = spec?.isChoice === true ? `${name}${valueIn(part)?.suffix ?? ''}` : name
  const value = jsonOf(part, memberSpec(type, key).type, parts)
  const existing = object[key]
  if (spec?.isArray !== true) {
    if (existing !== undefined) throw parts.unfit('the element is there already; replace it')
    object[key] = value
  } else if (Array.isArray(existing)) existing.push(value)
  else object[key] = [value]
}

/** What a part stands for: its value, its resource, or an object of the parts in it. */
function jsonOf(part: Part, type: string, parts: OperationParts): unknown {
  const given = valueIn(part)
  if (given) return given.value
  if (part['resource'] !== undefined) return part['resource']
  const members = partsOf(part)
  if (members.length === 0) throw parts.invalid('it has no value')
  const object: MutableObject = {}
  for (const member of members) {
    const name = member['name']
    if (typeof name !== 'string') throw parts.invalid('a part of its value has no name')
    addMember({ object, type }, name, member, parts)
  }
  return object
}
