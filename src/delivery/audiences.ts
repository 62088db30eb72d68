import type { SubscriptionTopic } from '../triggers/subscription-topic.ts'
import { criteriaName } from '../triggers/topic-facts.ts'
import type { RegisteredDestination } from './registered-destination.ts'

/** Who reads one queue of the log. A topic has one for all, and one for each organization that a destination is limited to. */
export interface Audience {
  readonly topicId: number
  /** Names what the topic selects now. */
  readonly criteria: string
  /** An event must belong to all of these, itself or through an organization above its own: the topic's, then the destination's. */
  readonly organizations: readonly string[]
  /** Of destinations that leave or join the queue. */
  readonly moves: readonly number[]
  readonly hasAtLeastOnce: boolean
  readonly bestEffort: readonly RegisteredDestination[]
}

/** Who listens to the topics, by their urls. */
export function groupAudiences(
  destinations: readonly RegisteredDestination[],
  topics: ReadonlyMap<string, SubscriptionTopic>,
): ReadonlyMap<string, readonly Audience[]> {
  const queues = new Map<number, RegisteredDestination[]>()
  for (const registered of destinations) {
    const { topicId } = registered.row
    const readers = queues.get(topicId)
    if (readers) readers.push(registered)
    else queues.set(topicId, [registered])
  }
  const audiences = new Map<string, Audience[]>()
  for (const [topicId, readers] of queues) {
    const [{ row }] = readers as [RegisteredDestination]
    const topic = topics.get(row.topicUrl)
    const wanted = [topic?.organization ?? '', row.organization]
    const audience = {
      topicId,
      criteria: topic ? criteriaName(topic) : '',
      organizations: wanted.filter((each) => each !== ''),
      moves: row.moves,
      hasAtLeastOnce: readers.some((each) => each.row.kind === 'kafka-at-least-once'),
      bestEffort: readers.filter((each) => each.row.kind === 'kafka-best-effort'),
    }
    const others = audiences.get(row.topicUrl)
    if (others) others.push(audience)
    else audiences.set(row.topicUrl, [audience])
  }
  return audiences
}

/** Whether an event must belong to an organization to be wanted. */
export function asksForOrganization(audiences: readonly Audience[]): boolean {
  return audiences.some(({ organizations }) => organizations.length > 0)
}
