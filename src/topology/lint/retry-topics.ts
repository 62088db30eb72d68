import type { RetryPolicyEntry } from '../document.ts'
import { durationMs, formatRetention } from '../duration.ts'
import type { Finding } from '../finding.ts'
import type { ResolvedTopic, ResolvedTopology } from '../resolved-topology.ts'

/** Check L3, of the topics that the policies wait on. */
export function retryTopicFindings({ topics, retryPolicies }: ResolvedTopology): Finding[] {
  const byName = new Map(topics.map((topic) => [topic.name, topic]))
  return topics.flatMap((topic) => {
    const name = byName.get(topic.source ?? '')?.retryPolicy ?? ''
    const policy = Object.hasOwn(retryPolicies, name) ? retryPolicies[name] : undefined
    if (topic.kind !== 'retry' || !policy) return []
    const delaysMs = usedDelaysMs(policy)
    return [...sharedPartitions(topic, name, delaysMs), ...lostWhileWaiting(topic, name, delaysMs)]
  })
}

/** Without those that are no durations, which are reported elsewhere. */
function usedDelaysMs({ attempts = Infinity, delays = [] }: RetryPolicyEntry): number[] {
  return delays
    .slice(0, attempts)
    .map(durationMs)
    .filter((delayMs) => delayMs !== undefined)
}

/** Not of a topic with one replica: such a cluster is for trying things out. */
function sharedPartitions(
  { name, partitions, replicationFactor, declaredAt: path }: ResolvedTopic,
  policy: string,
  delaysMs: readonly number[],
): Finding[] {
  const lengths = new Set(delaysMs).size
  if (partitions >= lengths || replicationFactor === 1) return []
  const message = `"${name}" has ${partitions} partitions for the ${lengths} lengths of delay of the retry policy "${policy}": a message that is due can stand behind one that waits for longer. Raise partitions to ${lengths}, or give the policy fewer lengths.`
  return [{ check: 'L3', severity: 'warning', message, path }]
}

function lostWhileWaiting(
  { name, config, declaredAt: path }: ResolvedTopic,
  policy: string,
  delaysMs: readonly number[],
): Finding[] {
  const retentionMs = Number(config['retention.ms'] ?? -1)
  const longestMs = Math.max(0, ...delaysMs)
  if (retentionMs < 0 || longestMs < retentionMs) return []
  const message = `"${name}" keeps messages for ${formatRetention(retentionMs)}, and the retry policy "${policy}" has them wait there for up to ${formatRetention(longestMs)}: Kafka deletes them first. Keep the topic for longer, or shorten the delays.`
  return [{ check: 'L3', severity: 'error', message, path }]
}
