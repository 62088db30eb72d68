import type { Registry } from '../delivery/registry.ts'
import { waitingOf } from './to-view.ts'
import type { DestinationView, TopicView } from './views.ts'

/** All topics by url, with what their destinations have got. */
export function topicViews(
  registry: Pick<Registry, 'topics' | 'topicFault'>,
  destinations: readonly DestinationView[],
): readonly TopicView[] {
  const byTopic = new Map<string, DestinationView[]>()
  for (const destination of destinations) {
    const { topicUrl } = destination
    byTopic.set(topicUrl, [...(byTopic.get(topicUrl) ?? []), destination])
  }
  return [...registry.topics.values()]
    .map((topic): TopicView => {
      const served = byTopic.get(topic.url) ?? []
      const fault = registry.topicFault(topic.url)
      const { reference, url, status, organization, triggers } = topic
      return {
        reference,
        id: reference.slice(reference.indexOf('/') + 1),
        url,
        status,
        ...(organization === undefined ? {} : { organization }),
        triggers,
        ...(fault === undefined ? {} : { fault }),
        destinations: served.map((each) => each.reference),
        events: sum(served, (each) => {
          const { delivered, dead, lost } = each.counts
          return delivered + dead + lost + waitingOf(each)
        }),
        ...(served.some(({ deliveredPerSecond }) => deliveredPerSecond !== undefined)
          ? { deliveredPerSecond: sum(served, (each) => each.deliveredPerSecond ?? 0) }
          : {}),
      }
    })
    .toSorted((one, other) => one.url.localeCompare(other.url))
}

function sum(
  destinations: readonly DestinationView[],
  count: (view: DestinationView) => number,
): number {
  return destinations.reduce((total, view) => total + count(view), 0)
}
