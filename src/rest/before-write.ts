import { OperationOutcomeError } from '@medplum/core'
import type { FhirResource, ResourceTypeDefinition } from '../host/types.ts'
import { applyAnyPatch } from './patch/patch.ts'
import { assertNoError } from './registered-validation.ts'
import { completedBody, patchBody } from './resource-body.ts'
import type { QueryParameters, RestInteraction } from './routing.ts'

/** A write that is about to begin. */
export interface ComingWrite {
  readonly interaction: RestInteraction
  readonly resourceType: string
  /** Of the resource in the URL. */
  readonly id?: string | undefined
  readonly body: unknown
  readonly query: QueryParameters
  /** The resource as readers see it; throws when there is none. */
  readonly read: (id: string) => Promise<FhirResource>
}

/** Lets the module of a registered type look at a write before its transaction is opened, which may take seconds.
 *
 *  Call it when the caller is known to be allowed to write, and outside of every transaction.
 *  @throws OperationOutcomeError `unprocessable-entity` (422), or as the write itself would for a body that is no resource */
export async function assertBeforeWrite(
  definition: ResourceTypeDefinition | undefined,
  write: ComingWrite,
): Promise<void> {
  if (!definition?.beforeWrite) return
  const resource = await writtenResource(write)
  if (!resource) return
  assertNoError(await definition.beforeWrite(resource, { query: write.query }))
}

/** What would be stored as far as that is known now; undefined for what writes nothing, or by a query. */
async function writtenResource(write: ComingWrite): Promise<FhirResource | undefined> {
  const { interaction, resourceType, id, body } = write
  if (interaction === 'create' || interaction === 'update') {
    // completedBody has put the type there.
    const resource = completedBody(body, resourceType, id) as FhirResource
    // Whoever may create must not have the secrets of one that is there used. The write itself will answer.
    const isTaken = interaction === 'create' && (await stored(write, resource.id)) !== undefined
    return isTaken ? undefined : resource
  }
  if (interaction !== 'patch') return undefined
  const current = await stored(write, id)
  return current && applyAnyPatch(structuredClone(current), patchBody(body))
}

async function stored(
  { read }: ComingWrite,
  id: string | undefined,
): Promise<FhirResource | undefined> {
  if (id === undefined) return undefined
  return read(id).catch((error: unknown) => {
    if (error instanceof OperationOutcomeError) return undefined
    throw error
  })
}
