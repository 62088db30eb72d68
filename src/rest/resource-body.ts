import { badRequestError } from './outcomes.ts'
import type { Patch } from './patch/patch.ts'
import { idRule, isId } from './resource-id.ts'

/** A client may leave out resourceType, and the id of an update: the URL says both.
 *  @throws OperationOutcomeError `bad-request` when body and URL disagree */
export function completedBody(body: unknown, resourceType: string, id: string | undefined): object {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw badRequestError('The body must be a resource.', 'structure')
  }
  const given: { resourceType?: unknown; id?: unknown } = body
  if (given.resourceType !== undefined && given.resourceType !== resourceType) {
    throw badRequestError(`The body must be a resource of the type in the URL, ${resourceType}.`)
  }
  if (id === undefined) return { resourceType, ...body }
  if (!isId(id)) throw badRequestError(idRule, 'value')
  if (given.id !== undefined && given.id !== id) {
    throw badRequestError(`The id in the body must be the one in the URL, ${id}.`)
  }
  return { resourceType, id, ...body }
}

/** @throws OperationOutcomeError `bad-request` when a body can be no patch of any form */
export function patchBody(body: unknown): Patch {
  if (typeof body === 'object' && body !== null) return body as Patch
  throw badRequestError(
    'The body must be a JSON Patch, a merge patch or Parameters of a FHIRPath Patch.',
    'structure',
  )
}
