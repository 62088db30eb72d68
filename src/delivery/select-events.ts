import type { Change, FhirHost, SqlTx } from '../host/types.ts'
import { matchChanges } from '../triggers/match-changes.ts'
import { readMemberships, type Membership } from '../triggers/organizations.ts'
import type { TopicIndex } from '../triggers/topic-index.ts'
import { addressEvents, type AddressedEvents } from './address-events.ts'
import { asksForOrganization, type Audience } from './audiences.ts'

/** The topics that select, and who listens to them. */
export interface Selection {
  readonly index: TopicIndex
  audiences(topicUrl: string): readonly Audience[]
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
  const matches = await matchChanges(selection.index, changes, tx, read)
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
