import type { SubscriptionTopic } from '../triggers/subscription-topic.ts'
import { TopicIndex } from '../triggers/topic-index.ts'
import type { Audience } from './audiences.ts'
import type { Selection } from './select-events.ts'

/** Selects by one topic alone, for the at-least-once destinations of one of its queues. */
export class TopicSelections {
  readonly #toIndex: (topic: SubscriptionTopic) => SubscriptionTopic
  readonly #indexes = new WeakMap<SubscriptionTopic, TopicIndex>()

  /** @param toIndex makes the topic that selects in its place
   *  @default the topic itself */
  constructor(toIndex: (topic: SubscriptionTopic) => SubscriptionTopic = (topic) => topic) {
    this.#toIndex = toIndex
  }

  of(topic: SubscriptionTopic, audience: Audience): Selection {
    const own = [{ ...audience, bestEffort: [] }]
    return { index: this.#indexOf(topic), audiences: (url) => (url === topic.url ? own : []) }
  }

  #indexOf(topic: SubscriptionTopic): TopicIndex {
    let index = this.#indexes.get(topic)
    if (!index) {
      index = new TopicIndex()
      index.put(this.#toIndex(topic))
      this.#indexes.set(topic, index)
    }
    return index
  }
}
