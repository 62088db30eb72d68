import type { Change, FhirHost, Interaction, SqlTx } from '../host/types.ts'
import { matchChanges, type ChangeMatch } from '../triggers/match-changes.ts'
import { readMemberships, type Membership } from '../triggers/organizations.ts'
import type { TopicIndex } from '../triggers/topic-index.ts'
import { addressEvents, type AddressedEvents } from './address-events.ts'
import { asksForOrganization, type Audience } from './audiences.ts'

/** The topics that select, and who listens to them. */
export interface Selection {
  readonly index: TopicIndex
  audiences(topicUrl: string): readonly Audience[]
  /** Urls of topics that need the version before a change of this kind. */
  topicsUsingPrevious(resourceType: string, interaction: Interaction): readonly string[]
}

/** Which events a unit of changes makes, for whom. The same for a write and for a change that was undecided and is decided again.
 *
 *  @param unitChanges all changes of the unit: what `resolve()` and the hierarchy of organizations see first
 *  @param tx the write's transaction; absent: what is committed now is read */
export async function selectEvents(
  changes: readonly Change[],
  unitChanges: readonly Change[],
  tx: SqlTx | undefined,
  read: FhirHost['read'],
  selection: Selection,
): Promise<AddressedEvents> {
  const matches = (await matchChanges(selection.index, changes, tx, read)).map((match) =>
    withoutGuessing(match, selection),
  )
  const asking = matches
    .filter(({ fired, undecided }) =>
      [...fired, ...undecided.map(({ topicUrl }) => topicUrl)].some((url) =>
        asksForOrganization(selection.audiences(url)),
      ),
    )
    .map(({ change }) => change)
  const memberships =
    asking.length === 0 ? [] : await readMemberships(asking, unitChanges, tx, read)
  return addressEvents(
    matches,
    (url) => selection.audiences(url),
    new Map(asking.map((change, index) => [change, memberships[index] as Membership])),
  )
}

/** `%previous` is empty where the version before an update or delete is not known, and no criteria that asks for it is decided by that. A host that
 *  asks `usesPrevious` leaves the version out where no topic needs it; one that came since may need it. */
function withoutGuessing(match: ChangeMatch, selection: Selection): ChangeMatch {
  const { resourceType, interaction, previous } = match.change
  if (interaction === 'create' || previous) return match
  const guessed = new Set(selection.topicsUsingPrevious(resourceType, interaction))
  if (guessed.size === 0) return match
  const error = 'The criteria needs the version before this change, which is not known.'
  return {
    change: match.change,
    fired: match.fired.filter((url) => !guessed.has(url)),
    undecided: [
      ...match.undecided.filter(({ topicUrl }) => !guessed.has(topicUrl)),
      ...[...guessed].map((topicUrl) => ({ topicUrl, error })),
    ],
  }
}
