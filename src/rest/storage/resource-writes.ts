import { conflict, gone, notFound, OperationOutcomeError } from '@medplum/core'
import type { FhirResource, Interaction, ResourceTypeDefinition, SqlTx } from '../../host/types.ts'
import type { Caller } from '../routing.ts'
import { badRequestError } from '../outcomes.ts'
import { assertCondition, type WriteCondition } from '../preconditions.ts'
import { idRule, isId } from '../resource-id.ts'
import { isSameContent } from '../resource-shapes.ts'
import { assertValidRegistered } from '../registered-validation.ts'
import type { CurrentRow, NewVersion, StoredVersions, WriteMethod } from './stored-versions.ts'
import type { Session } from './transactions.ts'

/** Told of every write in its transaction, so that searches find what is stored. */
export interface SearchIndex {
  write(tx: SqlTx, resource: FhirResource, isNew: boolean): Promise<void>
  remove(tx: SqlTx, resourceType: string, id: string): Promise<void>
}

export interface WriteContext {
  /** Types of modules, by name. */
  readonly types: ReadonlyMap<string, ResourceTypeDefinition>
  readonly versions: StoredVersions
  readonly caller: Caller
  /** Checks a resource of any other type; throws when it is not valid. */
  readonly assertValidStandard?: (resource: FhirResource) => void
  readonly searchIndex?: SearchIndex
}

/** A resource with its id, ready to be written. Standard types are validated, those of modules are not yet. */
export type Candidate = FhirResource & { readonly id: string }

/** Which resource. */
interface Target {
  readonly resourceType: string
  readonly id: string
}

export interface Written {
  readonly stored: FhirResource
  readonly isCreated: boolean
}

/** Gives a resource its id and validates it as far as that needs no database.
 *  @throws OperationOutcomeError 400 */
export function prepareCandidate(
  { types, assertValidStandard }: WriteContext,
  resource: FhirResource,
  id: unknown,
): Candidate {
  if (typeof id !== 'string' || !isId(id)) throw badRequestError(idRule, 'value')
  const { resourceType, ...rest } = resource
  const candidate = 'id' in resource ? { ...resource, id } : { resourceType, id, ...rest }
  if (!types.has(resource.resourceType)) assertValidStandard?.(candidate)
  return candidate
}

/** Writes the first version of a resource, or the next one of a deleted resource.
 *  @throws OperationOutcomeError 409 when the id is taken */
export async function createStored(
  context: WriteContext,
  session: Session,
  candidate: Candidate,
): Promise<FhirResource> {
  const accepted = await acceptRegistered(context, candidate, undefined)
  const stored = await insertStored(context, session, accepted, 'POST')
  if (stored) return stored
  const { resourceType, id } = candidate
  const row = await context.versions.lockCurrent(session.tx, resourceType, id)
  if (!row?.deleted) {
    throw new OperationOutcomeError(conflict(`${resourceType}/${id} exists already.`))
  }
  return replaceStored(context, session, row, accepted, 'POST')
}

/** Writes the next version of a resource, or the first one when there is none. What changes nothing is not written.
 *  @throws OperationOutcomeError 412 by the condition */
export async function updateStored(
  context: WriteContext,
  session: Session,
  candidate: Candidate,
  condition: WriteCondition,
): Promise<Written> {
  const { resourceType, id } = candidate
  let row = await context.versions.lockCurrent(session.tx, resourceType, id)
  if (!row) {
    assertCondition(undefined, condition)
    const accepted = await acceptRegistered(context, candidate, undefined)
    const stored = await insertStored(context, session, accepted, 'PUT')
    if (stored) return { stored, isCreated: true }
    // Another request has created it since. It cannot go away again: rows stay.
    row = await context.versions.lockCurrent(session.tx, resourceType, id)
    if (!row) throw new Error('A row that blocks an insert cannot be read.')
  }
  return changeStored(context, session, row, candidate, 'PUT', condition)
}

/** Writes what `patch` makes of the current version, which it gets as readers do, as a copy of its own.
 *  @throws OperationOutcomeError 404, 410, or 412 by the condition */
export async function patchStored(
  context: WriteContext,
  session: Session,
  { resourceType, id }: Target,
  patch: (resource: FhirResource) => FhirResource,
  condition: WriteCondition,
): Promise<Written> {
  const row = await context.versions.lockCurrent(session.tx, resourceType, id)
  const content = currentContent(context, resourceType, row)
  assertCondition(currentVersionId(row), condition)
  // A patch sees what a reader sees: it could copy a secret to where it is not masked. toStored puts the secret back.
  const seen = context.types.get(resourceType)?.toAnswer?.(content) ?? content
  const patched = patch(structuredClone(seen))
  if (patched.resourceType !== resourceType || patched.id !== id) {
    throw badRequestError('A patch cannot change the type or the id of a resource.')
  }
  // Content is there, so the row is too.
  const current = row as CurrentRow
  if (isSameContent(patched, seen)) {
    recordAgain(context, session, current, { resourceType, id })
    return { stored: content, isCreated: false }
  }
  const candidate = prepareCandidate(context, patched, id)
  return changeStored(context, session, current, candidate, 'PATCH', condition)
}

/** Deletes a resource; one that is deleted already stays as it is.
 *  @throws OperationOutcomeError 404 for what never was, 412 by the condition, which a missing resource does not meet when it names a version */
export async function deleteStored(
  context: WriteContext,
  session: Session,
  { resourceType, id }: Target,
  condition: WriteCondition,
): Promise<void> {
  const row = await context.versions.lockCurrent(session.tx, resourceType, id)
  assertCondition(currentVersionId(row), condition)
  if (!row) throw new OperationOutcomeError(notFound)
  if (row.content === null) {
    recordAgain(context, session, row, { resourceType, id })
    return
  }
  const version: NewVersion = {
    ...nextVersion(resourceType, id, row),
    json: null,
    method: 'DELETE',
    isCreated: false,
  }
  await context.versions.replaceCurrent(session.tx, version)
  record(context, session, 'delete', version, undefined, row.content)
  await context.searchIndex?.remove(session.tx, resourceType, id)
}

/** Content of a row that can be read.
 *  @throws OperationOutcomeError 404, or 410 for a deleted resource: clients of modules' types understand 404 only */
export function currentContent(
  { types }: WriteContext,
  resourceType: string,
  row: Pick<CurrentRow, 'content'> | undefined,
): FhirResource {
  if (row?.content) return row.content
  const isGone = row !== undefined && !types.has(resourceType)
  throw new OperationOutcomeError(isGone ? gone : notFound)
}

async function changeStored(
  context: WriteContext,
  session: Session,
  row: CurrentRow,
  candidate: Candidate,
  method: WriteMethod,
  condition: WriteCondition,
): Promise<Written> {
  assertCondition(currentVersionId(row), condition)
  const previous = row.content ?? undefined
  const accepted = await acceptRegistered(context, candidate, previous)
  if (previous && isSameContent(accepted, previous)) {
    recordAgain(context, session, row, candidate)
    return { stored: previous, isCreated: false }
  }
  const stored = await replaceStored(context, session, row, accepted, method)
  return { stored, isCreated: previous === undefined }
}

async function acceptRegistered(
  { types }: WriteContext,
  candidate: Candidate,
  previous: FhirResource | undefined,
): Promise<Candidate> {
  const definition = types.get(candidate.resourceType)
  if (!definition) return candidate
  await assertValidRegistered(definition, candidate, previous)
  if (!definition.toStored) return candidate
  return { ...definition.toStored(candidate, previous), id: candidate.id }
}

/** @returns undefined when there is a row of that id already */
async function insertStored(
  context: WriteContext,
  session: Session,
  candidate: Candidate,
  method: WriteMethod,
): Promise<FhirResource | undefined> {
  const next = nextVersion(candidate.resourceType, candidate.id, undefined)
  const stored = withVersion(candidate, next)
  const version = { ...next, json: JSON.stringify(stored), method, isCreated: true }
  if (!(await context.versions.insertCurrent(session.tx, version))) return undefined
  record(context, session, 'create', version, stored, undefined)
  await context.searchIndex?.write(session.tx, stored, true)
  return stored
}

async function replaceStored(
  context: WriteContext,
  session: Session,
  row: CurrentRow,
  candidate: Candidate,
  method: WriteMethod,
): Promise<FhirResource> {
  const isCreated = row.content === null
  const next = nextVersion(candidate.resourceType, candidate.id, row)
  const stored = withVersion(candidate, next)
  const version = { ...next, json: JSON.stringify(stored), method, isCreated }
  await context.versions.replaceCurrent(session.tx, version)
  record(context, session, isCreated ? 'create' : 'update', version, stored, row.content)
  await context.searchIndex?.write(session.tx, stored, false)
  return stored
}

/** A request has asked for a resource that is there already, and got it. */
export async function confirmStored(
  context: WriteContext,
  session: Session,
  target: Target,
): Promise<void> {
  const row = await context.versions.lockCurrent(session.tx, target.resourceType, target.id)
  if (row?.content) recordAgain(context, session, row, target)
}

/** Whoever repeats a write of a module's type waits like the first one for what follows from it: every node must know of it before the
 *  answer, and the first request may still wait for that. */
function recordAgain(
  context: WriteContext,
  session: Session,
  { version_id: versionId, content }: CurrentRow,
  { resourceType, id }: Target,
): void {
  if (!context.types.has(resourceType)) return
  const version = { resourceType, id, versionId, json: null }
  const current = content ?? undefined
  record(context, session, current ? 'update' : 'delete', version, current, current)
}

function nextVersion(
  resourceType: string,
  id: string,
  row: CurrentRow | undefined,
): Pick<NewVersion, 'resourceType' | 'id' | 'versionId' | 'lastUpdated'> {
  // Clocks of several nodes differ, and times of one resource must not run backwards.
  const lastUpdatedMs = Math.max(Date.now(), row?.last_updated.getTime() ?? 0)
  return {
    resourceType,
    id,
    versionId: (row?.version_id ?? 0) + 1,
    lastUpdated: new Date(lastUpdatedMs).toISOString(),
  }
}

/** Keys stay in the client's order; a meta that it did not send stands after the id. */
function withVersion(
  candidate: Candidate,
  { versionId, lastUpdated }: Pick<NewVersion, 'versionId' | 'lastUpdated'>,
): FhirResource {
  const meta = { ...candidate.meta, versionId: String(versionId), lastUpdated }
  if (candidate.meta !== undefined) return { ...candidate, meta }
  const { resourceType, id, ...rest } = candidate
  return { resourceType, id, meta, ...rest }
}

function currentVersionId(row: CurrentRow | undefined): string | undefined {
  return row?.content ? String(row.version_id) : undefined
}

function record(
  { caller }: WriteContext,
  session: Session,
  interaction: Interaction,
  {
    resourceType,
    id,
    versionId,
    json,
  }: Pick<NewVersion, 'resourceType' | 'id' | 'versionId' | 'json'>,
  current: FhirResource | undefined,
  previous: FhirResource | null | undefined,
): void {
  const { correlationId, traceparent } = caller
  session.unit.record({
    interaction,
    resourceType,
    id,
    versionId: String(versionId),
    ...(current ? { current } : {}),
    ...(json === null ? {} : { currentJson: json }),
    ...(previous ? { previous } : {}),
    ...(correlationId === undefined ? {} : { correlationId }),
    ...(traceparent === undefined ? {} : { traceparent }),
  })
}
