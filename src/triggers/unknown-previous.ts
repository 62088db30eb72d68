import type { Interaction } from '../host/types.ts'
import type { ChangeMatch } from './match-changes.ts'

/** Urls of topics that need the version before a change of this kind. */
export type TopicsUsingPrevious = (
  resourceType: string,
  interaction: Interaction,
) => readonly string[]

/** `%previous` is empty where the version before an update or delete is not known, and no criteria that asks for it is decided by that. A host that
 *  asks `usesPrevious` leaves the version out where no topic needs it; one that came since may need it. Nor does a history have every version. */
export function withoutGuessing(
  match: ChangeMatch,
  topicsUsingPrevious: TopicsUsingPrevious,
): ChangeMatch {
  const { resourceType, interaction, previous } = match.change
  if (interaction === 'create' || previous) return match
  const guessed = new Set(topicsUsingPrevious(resourceType, interaction))
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
