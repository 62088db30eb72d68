import type { Logger } from '../observability/logger.ts'
import type { DestinationRow } from '../outbox/destination-row.ts'
import type { SubscriptionTopic } from '../triggers/subscription-topic.ts'

/** Why nothing new is selected for the destinations of a topic; undefined: something may be.
 *  @param topic the stored one with this url */
export function restOf(
  topicUrl: string,
  topic: Pick<SubscriptionTopic, 'status'> | undefined,
): string | undefined {
  if (!topic) return `There is no topic with the url ${topicUrl}; nothing new is selected.`
  if (topic.status === 'active') return undefined
  return `The topic ${topicUrl} is ${topic.status}; nothing new is selected.`
}

/** Says in the log, once, when a topic that destinations read comes to rest: no error of delivery would tell. */
export class RestingTopics {
  readonly #logger: Logger
  #causes: ReadonlyMap<string, string> = new Map()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  look(
    destinations: Iterable<Pick<DestinationRow, 'topicUrl'>>,
    topicsByUrl: ReadonlyMap<string, Pick<SubscriptionTopic, 'status'>>,
  ): void {
    const readers = new Map<string, number>()
    for (const { topicUrl } of destinations) {
      readers.set(topicUrl, (readers.get(topicUrl) ?? 0) + 1)
    }
    const causes = new Map<string, string>()
    for (const [topic, count] of readers) {
      const cause = restOf(topic, topicsByUrl.get(topic))
      if (cause === undefined) continue
      causes.set(topic, cause)
      if (this.#causes.get(topic) === cause) continue
      this.#logger.warn(
        { topic, destinations: count, cause },
        'destinations read a topic that selects nothing',
      )
    }
    this.#causes = causes
  }
}
