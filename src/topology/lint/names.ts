import type { Finding } from '../finding.ts'
import type { ResolvedTopic, ResolvedTopology } from '../resolved-topology.ts'

/** Kafka's own rule (org.apache.kafka.common.internals.Topic). */
const legalName = /^[A-Za-z0-9._-]{1,249}$/

/** Check L4. */
export function nameFindings({ topics, allow }: ResolvedTopology): Finding[] {
  return [
    ...topics.flatMap((topic) =>
      faultsOf(topic.name, allow).map((message) => finding(topic, message)),
    ),
    ...collisions(topics),
  ]
}

function faultsOf(name: string, allow: readonly string[]): string[] {
  if (name !== name.trim()) {
    return [`The name "${name}" has a blank at its start or end; remove it.`]
  }
  if (!legalName.test(name) || name === '.' || name === '..') {
    return [
      `"${name}" is no name that Kafka takes: 1 to 249 letters, digits, ".", "_" and "-", and not "." or "..".`,
    ]
  }
  if (allow.length === 0 || allow.some((prefix) => name.startsWith(prefix))) return []
  return [
    `"${name}" starts with none of the prefixes of naming.allow (${allow.join(', ')}); rename it, or allow its prefix.`,
  ]
}

/** Kafka refuses a topic whose metrics would have the name of another one's. */
function collisions(topics: readonly ResolvedTopic[]): Finding[] {
  const seen = new Map<string, string>()
  return topics.flatMap((topic) => {
    const metricName = topic.name.replaceAll('.', '_')
    const other = seen.get(metricName)
    if (other === undefined) {
      seen.set(metricName, topic.name)
      return []
    }
    return [
      finding(
        topic,
        `"${topic.name}" and "${other}" differ in "." and "_" alone, which Kafka refuses; rename one.`,
      ),
    ]
  })
}

function finding({ declaredAt: path }: ResolvedTopic, message: string): Finding {
  return { check: 'L4', severity: 'error', message, path }
}
