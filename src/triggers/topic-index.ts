import type { Change, FhirResource } from '../host/types.ts'
import type { SubscriptionTopic } from './subscription-topic.ts'

/** Resources that `resolve()` can see, by relative reference (`Patient/123`). `undefined` as value: read and not there.
 *  A reference that is not a key has not been read yet. */
export type ResolvedReferences = ReadonlyMap<string, FhirResource | undefined>

export interface UndecidedTopic {
  readonly topicUrl: string
  /** One sentence for an operator, without resource content. */
  readonly error: string
}

export interface PendingTopic {
  readonly topicUrl: string
  /** References that must be read before this topic can be decided. */
  readonly references: readonly string[]
}

/** A topic is in at most one of the lists; one that does not fire is in none. */
export interface MatchResult {
  /** Urls of the topics that fire, each once. */
  readonly fired: readonly string[]
  readonly undecided: readonly UndecidedTopic[]
  /** Match again with these references resolved. */
  readonly pending: readonly PendingTopic[]
}

const noMatch: MatchResult = { fired: [], undecided: [], pending: [] }

/** Which topics a change fires. */
export class TopicIndex {
  readonly #topics = new Map<string, SubscriptionTopic>()

  put(topic: SubscriptionTopic): void {
    this.#topics.set(topic.url, topic)
  }

  remove(topicUrl: string): void {
    this.#topics.delete(topicUrl)
  }

  match(change: Change, _resolved: ResolvedReferences = new Map()): MatchResult {
    if (this.#topics.size === 0) return noMatch
    const fired = [...this.#topics.values()].filter(({ triggers }) =>
      triggers.some(
        ({ resourceType, interactions }) =>
          (resourceType === '*' || resourceType === change.resourceType) &&
          interactions.includes(change.interaction),
      ),
    )
    return { ...noMatch, fired: fired.map(({ url }) => url) }
  }
}
