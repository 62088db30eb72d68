import type { Parameters } from '@medplum/fhirtypes'
import { applyPatch, Pointer, type Operation } from 'rfc6902'
import type { FhirResource } from '../../host/types.ts'
import { isJsonObject } from '../../resources/json-shapes.ts'
import { applyFhirPathPatch } from './fhirpath-patch.ts'
import { badRequestError } from '../outcomes.ts'
import { assertNesting } from '../request-body.ts'
import { unfitPatchError } from './unfit-patch.ts'

/** The body of a PATCH: a JSON Patch (RFC 6902), a FHIRPath Patch, or any other object as a merge patch (RFC 7396). */
export type Patch = Operation[] | Parameters | Readonly<Record<string, unknown>>

/** Applies a patch to a resource, which it may change.
 *  @throws OperationOutcomeError 400 when it is no patch, 422 when the resource is not as it needs it */
export function applyAnyPatch(resource: FhirResource, patch: Patch): FhirResource {
  const patched = applyOneForm(resource, patch)
  // Operations can nest what the bodies of single requests may not.
  assertNesting(JSON.stringify(patched))
  return patched
}

function applyOneForm(resource: FhirResource, patch: Patch): FhirResource {
  if (Array.isArray(patch)) return applyJsonPatch(resource, patch)
  if (isParameters(patch)) return applyFhirPathPatch(resource, patch)
  // A merge patch that is an object makes an object of an object.
  return mergePatch(resource, patch) as FhirResource
}

function isParameters(patch: object): patch is Parameters {
  return 'resourceType' in patch && patch.resourceType === 'Parameters'
}

const operations: ReadonlySet<unknown> = new Set([
  ...['add', 'remove', 'replace', 'move', 'copy', 'test'],
])

function applyJsonPatch(resource: FhirResource, patch: readonly unknown[]): FhirResource {
  // At the path '' an operation replaces the whole, which needs a parent to be replaced in.
  const root = { resource }
  let copied = 0
  for (const [index, operation] of patch.entries()) {
    assertOperation(operation, index)
    if (operation.op === 'copy') {
      copied += weightOf(Pointer.fromJSON(`/resource${operation.from}`).get(root))
      if (copied > maxCopied) {
        throw badRequestError(`Operation ${index} of the JSON Patch copies too much.`, 'too-costly')
      }
    }
    const [error] = applyPatch(root, [inRoot(operation)])
    // The library's texts quote values.
    if (error) {
      throw unfitPatchError(
        operation.op === 'test'
          ? `Operation ${index}: the resource does not have the tested value.`
          : `Operation ${index} (${operation.op}): there is nothing to change at its path.`,
      )
    }
  }
  const patched: unknown = root.resource
  if (typeof patched !== 'object' || patched === null || Array.isArray(patched)) {
    throw unfitPatchError('The patch leaves no resource.')
  }
  return patched as FhirResource
}

/** Copies of copies double: two dozen small operations could fill the memory. In characters, of {@link weightOf}. */
const maxCopied = 5_000_000
const elementWeight = 500

/** About what copying, checking and storing a value takes; a part of it when that is too much already. */
function weightOf(value: unknown): number {
  let weight = 0
  const rest = [value]
  while (rest.length > 0 && weight <= maxCopied) {
    const element = rest.pop()
    weight += elementWeight
    if (typeof element === 'string') weight += element.length
    else if (typeof element === 'object' && element !== null) {
      for (const member of Object.values(element)) rest.push(member)
    }
  }
  return weight
}

function assertOperation(operation: unknown, index: number): asserts operation is Operation {
  const { op, path, from }: { op?: unknown; path?: unknown; from?: unknown } =
    typeof operation === 'object' && operation !== null ? operation : {}
  const needsFrom = op === 'move' || op === 'copy'
  const needsValue = op === 'add' || op === 'replace' || op === 'test'
  if (
    operations.has(op) &&
    isPointer(path) &&
    (!needsFrom || isPointer(from)) &&
    (!needsValue || Object.hasOwn(operation as object, 'value'))
  ) {
    return
  }
  throw badRequestError(
    `Operation ${index} of the JSON Patch needs a known op, a path such as /name/0, and its value or from.`,
    'structure',
  )
}

/** No resource has members of these names, and a write to one would reach into every object of the process. */
const forbiddenTokens: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

function isPointer(pointer: unknown): pointer is string {
  return (
    typeof pointer === 'string' &&
    (pointer === '' || pointer.startsWith('/')) &&
    !/~(?![01])/.test(pointer) &&
    !pointer.split('/').some((token) => forbiddenTokens.has(token))
  )
}

function inRoot(operation: Operation): Operation {
  const moved = { ...operation, path: `/resource${operation.path}` }
  return 'from' in operation
    ? ({ ...moved, from: `/resource${operation.from}` } as Operation)
    : moved
}

function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isJsonObject(patch)) return patch
  const before = isJsonObject(target) ? target : {}
  const merged = new Map(Object.entries(before))
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name)
    else merged.set(name, mergePatch(merged.get(name), value))
  }
  return Object.fromEntries(merged)
}
