import type { WithId } from '@medplum/core'
import type { Resource } from '@medplum/fhirtypes'
import type { FhirResource } from '../host/types.ts'
import type { JsonObject } from '../resources/json-shapes.ts'

/** A resource of @medplum/fhirtypes as JSON. */
export function asJson(resource: Resource): FhirResource {
  const wide: object = resource
  return wide as FhirResource
}

/** JSON as the resource that its type names. Types of modules are not in fhirtypes; the router only passes them on. */
export function asResource<T extends Resource>(resource: FhirResource): WithId<T> {
  const wide: object = resource
  return wide as WithId<T>
}

/** Whether two resources say the same, apart from `meta.versionId` and `meta.lastUpdated`. The order of keys says nothing. */
export function isSameContent(one: FhirResource, other: FhirResource): boolean {
  return (
    isSameJson({ ...one, meta: undefined }, { ...other, meta: undefined }) &&
    isSameJson(contentOfMeta(one), contentOfMeta(other))
  )
}

function contentOfMeta({ meta }: FhirResource): object {
  return { ...meta, versionId: undefined, lastUpdated: undefined }
}

/** An element of the value `undefined` is one that JSON does not have. */
function isSameJson(one: unknown, other: unknown): boolean {
  if (one === other) return true
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) {
    return false
  }
  if (Array.isArray(one) || Array.isArray(other)) {
    return (
      Array.isArray(one) &&
      Array.isArray(other) &&
      one.length === other.length &&
      one.every((item, index) => isSameJson(item, other[index]))
    )
  }
  const [left, right] = [one as JsonObject, other as JsonObject]
  return (
    Object.keys(left).every((key) => isSameJson(left[key], ownValue(right, key))) &&
    Object.keys(right).every((key) => right[key] === undefined || ownValue(left, key) !== undefined)
  )
}

function ownValue(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined
}
