import type { Registry } from '../delivery/registry.ts'
import { waitingOf } from '../outbox/event-counts.ts'
import type { SubscriptionTopic } from '../triggers/subscription-topic.ts'
import { idOf } from './to-view.ts'
import type { DestinationView, TopicName, TopicView } from './views.ts'

type RegistryView = Pick<Registry, 'topics' | 'topicFault'>

/** The topics for those who watch. There may be ten thousand: they are sorted when one of them has changed, and only what is looked at is told whole. */
export class TopicViews {
  readonly #registry: RegistryView
  #sorted: { readonly of: RegistryView['topics']; readonly names: readonly TopicName[] } | undefined
  #served:
    | {
        readonly of: readonly DestinationView[]
        readonly byTopic: ReadonlyMap<string, readonly DestinationView[]>
      }
    | undefined

  constructor(registry: RegistryView) {
    this.#registry = registry
  }

  /** By url. */
  get names(): readonly TopicName[] {
    const { topics } = this.#registry
    if (this.#sorted?.of !== topics) {
      const names = [...topics.values()].map(nameOf)
      this.#sorted = { of: topics, names: names.toSorted((a, b) => (a.url < b.url ? -1 : 1)) }
    }
    return this.#sorted.names
  }

  /** With what its destinations have got. */
  view(url: string, destinations: readonly DestinationView[]): TopicView | undefined {
    const topic = this.#registry.topics.get(url)
    if (!topic) return undefined
    const served = this.#byTopic(destinations).get(url) ?? []
    const fault = this.#registry.topicFault(url)
    const { status, triggers } = topic
    return {
      ...nameOf(topic),
      status,
      triggers,
      ...(fault === undefined ? {} : { fault }),
      destinations: served.map(({ reference }) => reference),
      events: sum(served, ({ counts }) => {
        const { delivered, dead, lost } = counts
        return delivered + dead + lost + waitingOf(counts)
      }),
      ...(served.some(({ deliveredPerSecond }) => deliveredPerSecond !== undefined)
        ? { deliveredPerSecond: sum(served, (each) => each.deliveredPerSecond ?? 0) }
        : {}),
    }
  }

  #byTopic(
    destinations: readonly DestinationView[],
  ): ReadonlyMap<string, readonly DestinationView[]> {
    if (this.#served?.of !== destinations) {
      const byTopic = new Map<string, DestinationView[]>()
      for (const destination of destinations) {
        const others = byTopic.get(destination.topicUrl)
        if (others) others.push(destination)
        else byTopic.set(destination.topicUrl, [destination])
      }
      this.#served = { of: destinations, byTopic }
    }
    return this.#served.byTopic
  }
}

function nameOf({ reference, url, organization }: SubscriptionTopic): TopicName {
  return {
    reference,
    id: idOf(reference),
    url,
    ...(organization === undefined ? {} : { organization }),
  }
}

function sum(
  destinations: readonly DestinationView[],
  count: (view: DestinationView) => number,
): number {
  return destinations.reduce((total, view) => total + count(view), 0)
}
