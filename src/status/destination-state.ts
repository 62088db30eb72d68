import type { Registry } from '../delivery/registry.ts'
import { restOf } from '../delivery/resting-topics.ts'
import { actionOf } from '../observability/log-lines.ts'
import type { DestinationState } from './status-parameters.ts'

type RegistryView = Pick<Registry, 'destinations' | 'topicByUrl' | 'topicFault'>

/** What $status says of a destination beside its counters, as this node sees it. */
export function destinationState(registry: RegistryView, reference: string): DestinationState {
  const registered = registry.destinations.get(reference)
  if (registered?.fault !== undefined) {
    const { fault, destination } = registered
    const action = actionOf(destination ? 'secrets-unusable' : 'destination-unusable')
    return { status: 'error', reason: fault, action }
  }
  const topicUrl = registered?.row.topicUrl
  const topic = topicUrl === undefined ? undefined : registry.topicByUrl(topicUrl)
  const rest = topicUrl === undefined ? undefined : restOf(topicUrl, topic)
  if (rest !== undefined) {
    return { status: 'error', reason: rest, action: actionOf('topic-at-rest') }
  }
  const topicFault = topic && registry.topicFault(topic.url)
  if (topic && topicFault !== undefined) {
    const reason = `The topic ${topic.url} is invalid: ${topicFault}`
    return { status: 'error', reason, action: actionOf('topic-invalid') }
  }
  if (registered?.destination?.status === 'off') return { status: 'off', reason: undefined }
  return { status: 'active', reason: undefined }
}
