import type { Change, FhirHost, FhirResource, SqlTx } from '../host/types.ts'
import { criteriaLimits } from './criteria-language.ts'
import type { MatchResult, TopicIndex, UndecidedTopic } from './topic-index.ts'

export interface ChangeMatch {
  readonly change: Change
  /** Urls of the topics that fire. */
  readonly fired: readonly string[]
  readonly undecided: readonly UndecidedTopic[]
}

/** Matches the changes of one unit, in their order. A criteria error or a failed read leaves a topic undecided, it never throws.
 *
 *  `resolve()` sees the changes of the unit itself, then what `read` gives: one batched read per round for all changes, inside
 *  the write's own transaction. Without a criteria that needs it there is no I/O.
 *
 *  @param tx The write's transaction; absent where the host has none.
 *  @param read Absent: the host cannot resolve references. */
export async function matchChanges(
  index: TopicIndex,
  changes: readonly Change[],
  tx: SqlTx | undefined,
  read: FhirHost['read'] | undefined,
): Promise<readonly ChangeMatch[]> {
  const results = changes.map((change) => index.match(change))
  if (results.some(hasPending)) await resolvePending(index, changes, results, tx, read)
  return results.map(({ fired, undecided }, i) => ({
    change: changes[i] as Change,
    fired,
    undecided,
  }))
}

async function resolvePending(
  index: TopicIndex,
  changes: readonly Change[],
  results: MatchResult[],
  tx: SqlTx | undefined,
  read: FhirHost['read'] | undefined,
): Promise<void> {
  const resolved = resourcesOf(changes)
  for (let round = 0; ; round++) {
    for (const [i, change] of changes.entries()) {
      if (results[i]?.pending.length) results[i] = index.match(change, resolved)
    }
    const missing = missingReferences(results)
    if (missing.length === 0) return
    if (round === criteriaLimits.maxResolveRounds) {
      giveUp(results, `resolve() needs more than ${round} rounds of reading.`)
      return
    }
    const failure = await readInto(resolved, missing, tx, read)
    if (failure !== undefined) {
      giveUp(results, failure)
      return
    }
  }
}

/** What the unit itself leaves behind; a deleted resource is known to be absent. */
function resourcesOf(changes: readonly Change[]): Map<string, FhirResource | undefined> {
  return new Map(
    changes.map(({ interaction, resourceType, id, current }) => [
      `${resourceType}/${id}`,
      interaction === 'delete' ? undefined : current,
    ]),
  )
}

/** Answers why the read failed.
 *
 *  A statement that fails inside PostgreSQL aborts the whole transaction, and its COMMIT would silently be a ROLLBACK.
 *  Hence the savepoint: the user's write outlives the read that was only needed to decide on a notification. */
async function readInto(
  resolved: Map<string, FhirResource | undefined>,
  references: readonly string[],
  tx: SqlTx | undefined,
  read: FhirHost['read'] | undefined,
): Promise<string | undefined> {
  if (!read) return 'This server cannot resolve references.'
  await tx?.query('savepoint topic_destination_resolve')
  try {
    const found = await read(references, tx)
    for (const reference of references) resolved.set(reference, found.get(reference))
  } catch (error) {
    await tx?.query('rollback to savepoint topic_destination_resolve')
    await tx?.query('release savepoint topic_destination_resolve')
    return `The references could not be read for resolve() (${errorName(error)}).`
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

function giveUp(results: MatchResult[], error: string): void {
  for (const [i, result] of results.entries()) {
    const open = result.pending.map(({ topicUrl }) => ({ topicUrl, error }))
    results[i] = { ...result, undecided: [...result.undecided, ...open], pending: [] }
  }
}

function missingReferences(results: readonly MatchResult[]): string[] {
  const references = results.flatMap(({ pending }) => pending.flatMap((each) => each.references))
  return [...new Set(references)]
}

function hasPending({ pending }: MatchResult): boolean {
  return pending.length > 0
}
