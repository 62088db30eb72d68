import type { Registry } from '../delivery/registry.ts'
import { restOf } from '../delivery/resting-topics.ts'
import type { DestinationState } from './status-parameters.ts'

type RegistryView = Pick<Registry, 'destinations' | 'topicByUrl' | 'topicFault'>

/** What $status says of a destination beside its counters, as this node sees it. */
export function destinationState(registry: RegistryView, reference: string): DestinationState {
  const registered = registry.destinations.get(reference)
  if (registered?.fault !== undefined) return { status: 'error', reason: registered.fault }
  const topicUrl = registered?.row.topicUrl
  const topic = topicUrl === undefined ? undefined : registry.topicByUrl(topicUrl)
  const rest = topicUrl === undefined ? undefined : restOf(topicUrl, topic)
  if (rest !== undefined) return { status: 'error', reason: rest }
  const topicFault = topic && registry.topicFault(topic.url)
  if (topic && topicFault !== undefined) {
    return { status: 'error', reason: `The topic ${topic.url} is invalid: ${topicFault}` }
  }
  if (registered?.destination?.status === 'off') return { status: 'off', reason: undefined }
  return { status: 'active', reason: undefined }
}
