import type { Change, FhirHost, FhirResource, SqlTx } from '../host/types.ts'

/** Resources by relative reference; `undefined` as value: looked for, and not there. */
export type KnownResources = Map<string, FhirResource | undefined>

/** What a unit of changes leaves behind; a deleted resource is known to be absent. */
export function resourcesAfter(changes: readonly Change[]): KnownResources {
  return new Map(
    changes.map(({ interaction, resourceType, id, current }) => [
      `${resourceType}/${id}`,
      interaction === 'delete' ? undefined : current,
    ]),
  )
}

/** Reads into `known`. Answers why it failed.
 *
 *  A statement that fails inside PostgreSQL aborts the whole transaction, and its COMMIT would silently be a ROLLBACK.
 *  Hence the savepoint: the user's write outlives the read that was only needed to decide on a notification. */
export async function readReferences(
  known: KnownResources,
  references: readonly string[],
  tx: SqlTx | undefined,
  read: FhirHost['read'] | undefined,
): Promise<string | undefined> {
  if (!read) return 'This server cannot resolve references.'
  await tx?.query('savepoint topic_destination_resolve')
  try {
    const found = await read(references, tx)
    for (const reference of references) known.set(reference, found.get(reference))
  } catch (error) {
    await tx?.query('rollback to savepoint topic_destination_resolve')
    await tx?.query('release savepoint topic_destination_resolve')
    return `The references could not be read (${errorName(error)}).`
  }
  await tx?.query('release savepoint topic_destination_resolve')
  return undefined
}

/** SQLSTATE or the error's class. Not its message, which may quote a row. */
function errorName(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error'
  const { code } = error as Error & { code?: unknown }
  return typeof code === 'string' && /^[A-Z0-9_]{2,40}$/.test(code) ? code : error.name
}
