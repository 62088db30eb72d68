import type { Overview } from '../monitor/delivery-monitor.ts'
import { formatRetention } from '../topology/duration.ts'
import type { ResolvedTopic, ResolvedTopology } from '../topology/resolved-topology.ts'
import type { KafkaTopicView, RetryPolicyView, TopicWriterView, TopologyView } from './api-views.ts'
import { isFound, pageOf, searchOf } from './route-input.ts'
import type { RouteRequest } from './routes.ts'

/** What a topology file says, beside the destinations as they are stored.
 *  @throws ConsoleError 400 */
export function topologyView(
  topology: ResolvedTopology,
  { destinations }: Overview,
  request: Pick<RouteRequest, 'query'>,
): TopologyView {
  const search = searchOf(request)
  const found = topology.topics.filter(({ name }) => isFound(search, name))
  const page = pageOf(found, request)
  const { name, environment } = topology
  return {
    ...page,
    rows: page.rows.map((topic) => topicView(topic, topology, destinations)),
    name,
    ...(environment === undefined ? {} : { environment }),
    search,
    retryPolicies: policyViews(topology),
  }
}

function topicView(
  topic: ResolvedTopic,
  topology: ResolvedTopology,
  stored: Overview['destinations'],
): KafkaTopicView {
  const { name, kind, source, description, partitions, replicationFactor, config } = topic
  const { retryPolicy, hasExternalProducer, hasExternalConsumer } = topic
  const retentionMs = config['retention.ms']
  return {
    name,
    kind,
    ...(source === undefined ? {} : { source }),
    ...(description === undefined ? {} : { description }),
    partitions,
    replicationFactor,
    ...(retentionMs === undefined ? {} : { retention: formatRetention(Number(retentionMs)) }),
    isCompacted: config['cleanup.policy']?.includes('compact') === true,
    producers: [...topic.producers, ...(hasExternalProducer ? ['outside'] : [])],
    consumers: [...topic.consumers, ...(hasExternalConsumer ? ['outside'] : [])],
    ...(retryPolicy === undefined ? {} : { retryPolicy }),
    destinations: writersOf(
      topology.destinations.filter(({ kafkaTopic }) => kafkaTopic === name).map(({ id }) => id),
      stored.filter(({ kafkaTopic }) => kafkaTopic === name).map(({ id }) => id),
    ),
  }
}

function writersOf(declared: readonly string[], stored: readonly string[]): TopicWriterView[] {
  return [...new Set([...declared, ...stored])].toSorted().map((id) => ({
    id,
    isDeclared: declared.includes(id),
    isStored: stored.includes(id),
  }))
}

function policyViews({ retryPolicies }: ResolvedTopology): RetryPolicyView[] {
  return Object.entries(retryPolicies).map(([name, policy]) => ({
    name,
    ...(policy.attempts === undefined ? {} : { attempts: policy.attempts }),
    ...(policy.maxAge === undefined ? {} : { maxAge: policy.maxAge }),
    delays: policy.delays ?? [],
    ...(policy.then === undefined ? {} : { then: policy.then }),
    deadOn: policy.deadOn ?? [],
  }))
}
