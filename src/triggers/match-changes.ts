import type { Change, FhirHost, SqlTx } from '../host/types.ts'
import { Slices } from '../slices.ts'
import { criteriaLimits } from './criteria-language.ts'
import { readReferences, resourcesAfter, type KnownResources } from './read-references.ts'
import type { MatchResult, TopicIndex, UndecidedTopic } from './topic-index.ts'

export interface ChangeMatch {
  readonly change: Change
  /** Urls of the topics that fire. */
  readonly fired: readonly string[]
  readonly undecided: readonly UndecidedTopic[]
}

export interface MatchOptions {
  /** What `resolve()` sees before anything is read. Default: what the changes leave behind. */
  readonly known?: KnownResources
  /** Awaited after each change that was looked at and after each criteria of it, so that many do not block the process. Default: lets
   *  the event loop turn now and then. */
  readonly pause?: () => Promise<void>
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
  { known, pause = turns() }: MatchOptions = {},
): Promise<readonly ChangeMatch[]> {
  const results: MatchResult[] = []
  for (const change of changes) {
    results.push(await index.matchInTurns(change, undefined, pause))
    await pause()
  }
  if (results.some(hasPending))
    await resolvePending(index, changes, results, tx, read, pause, known)
  return results.map(({ fired, undecided }, i) => ({
    change: changes[i] as Change,
    fired,
    undecided,
  }))
}

/** A bundle may have thousands of changes, and a change may meet hundreds of criteria. */
function turns(): () => Promise<void> {
  const slices = new Slices()
  return () => slices.pause()
}

async function resolvePending(
  index: TopicIndex,
  changes: readonly Change[],
  results: MatchResult[],
  tx: SqlTx | undefined,
  read: FhirHost['read'] | undefined,
  pause: () => Promise<void>,
  known: KnownResources = resourcesAfter(changes),
): Promise<void> {
  const resolved = known
  for (let round = 0; ; round++) {
    for (const [i, change] of changes.entries()) {
      if (!results[i]?.pending.length) continue
      results[i] = await index.matchInTurns(change, resolved, pause)
      await pause()
    }
    const missing = missingReferences(results)
    if (missing.length === 0) return
    if (round === criteriaLimits.maxResolveRounds) {
      giveUp(results, `resolve() needs more than ${round} rounds of reading.`, false)
      return
    }
    const failure = await readReferences(resolved, missing, tx, read)
    if (failure !== undefined) {
      giveUp(results, failure, read !== undefined)
      return
    }
  }
}

function giveUp(results: MatchResult[], error: string, isTransient: boolean): void {
  for (const [i, result] of results.entries()) {
    const transient = isTransient ? { isTransient } : {}
    const open = result.pending.map(({ topicUrl }) => ({ topicUrl, error, ...transient }))
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
