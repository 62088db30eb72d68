import type { Change, FhirHost, FhirResource } from '../host/types.ts'
import type { StoredUndecided, UndecidedAgain } from '../outbox/undecided-events.ts'
import type { SubscriptionTopic } from '../triggers/subscription-topic.ts'
import { TopicFacts } from '../triggers/topic-facts.ts'
import { TopicIndex } from '../triggers/topic-index.ts'
import { backoffMs } from './backoff.ts'
import type { Audience } from './audiences.ts'
import type { Registry } from './registry.ts'
import { selectEvents, type Selection } from './select-events.ts'

/** A queue of a topic that is matched now. */
export interface MatchedQueue {
  readonly topic: SubscriptionTopic
  readonly audience: Audience
}

/** The queues of at-least-once destinations whose events can be decided, by id. */
export function matchedQueues(registry: Registry): ReadonlyMap<number, MatchedQueue> {
  const queues = new Map<number, MatchedQueue>()
  for (const topic of registry.matchedTopics.values()) {
    for (const audience of registry.audiences(topic.url)) {
      if (audience.hasAtLeastOnce) queues.set(audience.topicId, { topic, audience })
    }
  }
  return queues
}

export type Decision =
  | { readonly kind: 'fires' }
  | { readonly kind: 'does-not-fire' }
  | { readonly kind: 'undecided'; readonly again: UndecidedAgain }

/** Decides stored changes by what their topics select now, with the code that a write runs through.
 *
 *  The change is the one that was written, with the version before it. What `resolve()` and the organizations above refer to is read as it is
 *  now: when the write was made it could not be read, or another criteria asked for other resources. */
export class UndecidedDecisions {
  readonly #read: FhirHost['read']
  readonly #selections = new WeakMap<SubscriptionTopic, Pick<Selection, 'index'> & TopicUse>()

  constructor(read: FhirHost['read']) {
    this.#read = read
  }

  /** For a batch of decisions: once the host cannot read, the others of the batch do not ask it again. */
  batch(): (event: StoredUndecided, queue: MatchedQueue) => Promise<Decision> {
    const failed: { error?: unknown } = {}
    const read: FhirHost['read'] = async (references) => {
      if ('error' in failed) throw failed.error
      try {
        return await this.#read(references)
      } catch (error) {
        failed.error = error
        throw error
      }
    }
    return (event, queue) => this.#decide(event, queue, read)
  }

  async #decide(
    event: StoredUndecided,
    { topic, audience }: MatchedQueue,
    read: FhirHost['read'],
  ): Promise<Decision> {
    const change = changeOf(event)
    if (!change) return undecided(event, audience, 'The stored change is not JSON.', false)
    const { index, facts } = this.#selectionOf(topic)
    const { events, undecided: open } = await selectEvents([change], [change], undefined, read, {
      index,
      audiences: (url) => (url === topic.url ? [{ ...audience, bestEffort: [] }] : []),
      topicsUsingPrevious: (...kind) => facts.usingPrevious(...kind),
    })
    if (events.length > 0) return { kind: 'fires' }
    const [left] = open
    if (!left) return { kind: 'does-not-fire' }
    return undecided(event, audience, left.error, left.retryInMs !== undefined)
  }

  /** An index of the one topic: what others select is not asked again. */
  #selectionOf(topic: SubscriptionTopic): Pick<Selection, 'index'> & TopicUse {
    let known = this.#selections.get(topic)
    if (!known) {
      const index = new TopicIndex()
      index.put(topic)
      known = { index, facts: new TopicFacts([topic]) }
      this.#selections.set(topic, known)
    }
    return known
  }
}

interface TopicUse {
  readonly facts: TopicFacts
}

/** Its queue has no reader at this moment. */
export function unread(event: StoredUndecided, { audience }: MatchedQueue): UndecidedAgain {
  const error =
    'The destinations of the topic are about to leave it; the event waits for one that stays.'
  return again(event, audience, error, true)
}

function undecided(
  event: StoredUndecided,
  audience: Audience,
  error: string,
  isTransient: boolean,
): Decision {
  return { kind: 'undecided', again: again(event, audience, error, isTransient) }
}

function again(
  { id, attempts }: StoredUndecided,
  { criteria }: Audience,
  error: string,
  isTransient: boolean,
): UndecidedAgain {
  return { id, error, criteria, retryInMs: isTransient ? backoffMs(attempts + 1) : null }
}

function changeOf(event: StoredUndecided): Change | undefined {
  const { interaction, resourceType, resourceId, versionId, at, body, previous } = event
  try {
    return {
      interaction,
      resourceType,
      id: resourceId,
      at,
      ...(versionId === undefined ? {} : { versionId }),
      ...(body === null ? {} : { current: JSON.parse(body) as FhirResource, currentJson: body }),
      ...(previous === null ? {} : { previous: JSON.parse(previous) as FhirResource }),
    }
  } catch {
    return undefined
  }
}
