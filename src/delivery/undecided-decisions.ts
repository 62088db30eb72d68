import { setImmediate } from 'node:timers/promises'
import { changeFromJson } from '../host/stored-change.ts'
import type { FhirHost } from '../host/types.ts'
import type { StoredUndecided, UndecidedAgain } from '../outbox/undecided-events.ts'
import type { SubscriptionTopic } from '../triggers/subscription-topic.ts'
import { backoffMs } from '../backoff.ts'
import type { Audience } from './audiences.ts'
import type { Registry } from './registry.ts'
import { selectEvents } from './select-events.ts'
import { TopicSelections } from './topic-selections.ts'

/** A queue of a topic that is matched now. */
export interface MatchedQueue {
  readonly topic: SubscriptionTopic
  readonly audience: Audience
}

/** The queues of at-least-once destinations whose events can be decided, by id. */
export function matchedQueues(
  registry: Pick<Registry, 'matchedTopics' | 'audiences'>,
): ReadonlyMap<number, MatchedQueue> {
  const queues = new Map<number, MatchedQueue>()
  for (const topic of registry.matchedTopics.values()) {
    for (const audience of registry.audiences(topic.url)) {
      if (audience.hasAtLeastOnce) queues.set(audience.topicId, { topic, audience })
    }
  }
  return queues
}

type Decision =
  | { readonly kind: 'fires' }
  | { readonly kind: 'does-not-fire' }
  | { readonly kind: 'undecided'; readonly again: UndecidedAgain }

/** What a batch has come to. */
export interface Decided {
  /** With what is kept of them should they not be moved. */
  readonly fired: ReadonlyMap<string, UndecidedAgain>
  readonly notFired: readonly string[]
  readonly kept: readonly UndecidedAgain[]
  /** How many events of the batch were looked at, from the first on. */
  readonly count: number
}

/** A batch that takes longer goes on with what it has: it holds a lock, and a transaction that is idle for a minute is ended. */
const budgetMs = 5000

/** Decides stored changes by what their topics select now, with the code that a write runs through.
 *
 *  The change is the one that was written, with the version before it. What `resolve()` and the organizations above refer to is read as it is
 *  now: when the write was made it could not be read, or another criteria asked for other resources. */
export class UndecidedDecisions {
  readonly #read: FhirHost['read']
  readonly #now: () => number
  /** What other topics select is not asked again. */
  readonly #selections = new TopicSelections()

  /** @param now milliseconds of a clock that never goes back */
  constructor(read: FhirHost['read'], now: () => number = () => performance.now()) {
    this.#read = read
    this.#now = now
  }

  /** Decides events of these queues, at least one; those of other queues stay as they are. Once the host cannot read, the others of the
   *  batch do not ask it again. */
  async decide(
    events: readonly StoredUndecided[],
    queues: ReadonlyMap<number, MatchedQueue>,
  ): Promise<Decided> {
    const untilMs = this.#now() + budgetMs
    const read = untilFailure(this.#read)
    const fired = new Map<string, UndecidedAgain>()
    const notFired: string[] = []
    const kept: UndecidedAgain[] = []
    let count = 0
    for (const event of events) {
      if (count > 0 && this.#now() > untilMs) break
      // A criteria may take its time, and nothing here need wait for anything.
      await setImmediate()
      count++
      const queue = queues.get(event.topicId)
      if (!queue) continue
      const decision = await this.#decide(event, queue, read)
      if (decision.kind === 'fires') fired.set(event.id, unread(event, queue))
      else if (decision.kind === 'does-not-fire') notFired.push(event.id)
      else kept.push(decision.again)
    }
    return { fired, notFired, kept, count }
  }

  async #decide(
    event: StoredUndecided,
    { topic, audience }: MatchedQueue,
    read: FhirHost['read'],
  ): Promise<Decision> {
    const change = changeFromJson(event, event.body ?? '', event.previous ?? '')
    if (!change) return undecided(event, audience, 'The stored change is not JSON.', false)
    const selection = this.#selections.of(topic, audience)
    const changes = [change]
    const { events, undecided: open } = await selectEvents(
      changes,
      changes,
      undefined,
      read,
      selection,
    )
    if (events.length > 0) return { kind: 'fires' }
    const [left] = open
    if (!left) return { kind: 'does-not-fire' }
    return undecided(event, audience, left.error, left.retryInMs !== undefined)
  }
}

/** Does not ask again after it was refused. */
function untilFailure(read: FhirHost['read']): FhirHost['read'] {
  const failed: { error?: unknown } = {}
  return async (references) => {
    if ('error' in failed) throw failed.error
    try {
      return await read(references)
    } catch (error) {
      failed.error = error
      throw error
    }
  }
}

/** Its queue has no reader at this moment. */
function unread(event: StoredUndecided, { audience }: MatchedQueue): UndecidedAgain {
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
