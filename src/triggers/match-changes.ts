import type { Change, FhirHost, SqlTx } from '../host/types.ts'
import type { TopicIndex, UndecidedTopic } from './topic-index.ts'

export interface ChangeMatch {
  readonly change: Change
  /** Urls of the topics that fire. */
  readonly fired: readonly string[]
  readonly undecided: readonly UndecidedTopic[]
}

/** Matches the changes of one unit, in their order. A criteria error never throws. */
export async function matchChanges(
  index: TopicIndex,
  changes: readonly Change[],
  _tx: SqlTx | undefined,
  _read: FhirHost['read'] | undefined,
): Promise<readonly ChangeMatch[]> {
  return Promise.resolve(changes.map((change) => ({ change, ...index.match(change) })))
}
